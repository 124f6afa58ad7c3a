"""The one table of what a role may do. Published with the directory, enforced by the gateway."""

from typing import Final

from libs.events.actions import Action
from libs.events.directory import Role

_EVERYTHING: Final = frozenset(Action)

# A moderator closes only cases that nobody took, and cannot answer; notes are for everyone who may
# see a conversation, except those who only read or only count.
PERMISSIONS: Final[dict[Role, frozenset[Action]]] = {
    Role.OWNER: _EVERYTHING,
    Role.ADMIN: _EVERYTHING - {Action.MANAGE_OWNERS},
    Role.OPERATOR: frozenset(
        {
            Action.READ,
            Action.TAKE,
            Action.ANSWER,
            Action.NOTE,
            Action.MARK,
            Action.ASSIGN,
            Action.TRANSFER,
            Action.FORWARD,
            Action.PARTICIPANTS,
            Action.CLOSE,
            Action.SEND_TO_CRM,
            Action.OPEN,
            Action.REOPEN,
            Action.EDIT_CUSTOMERS,
            Action.BLOCK_CUSTOMERS,
            Action.RECORD_ACTIVITIES,
        }
    ),
    Role.MODERATOR: frozenset(
        {
            Action.READ,
            Action.NOTE,
            Action.MARK,
            Action.CLOSE,
            Action.CLOSE_UNTAKEN,
            Action.BLOCK_CUSTOMERS,
        }
    ),
    Role.ANALYST: frozenset({Action.READ, Action.SEE_METRICS}),
    Role.READ_ONLY: frozenset({Action.READ}),
}


def actions_of(role: Role) -> tuple[str, ...]:
    """The row of a role, in a stable order."""
    return tuple(sorted(PERMISSIONS[role]))
