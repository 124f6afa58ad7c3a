"""What members do to a conversation, as a table: tests that do anything in any order draw from it.

A new action of members is a line here.
"""

from collections.abc import Callable
from typing import Final

from libs.events.content import Content
from libs.events.marks import Priority
from services.conversation.domain.conversation import Conversation
from tests.services.conversation.domain.cases import minutes

MEMBERS: Final = ("dima", "olena", "ivan")
GROUPS: Final = ("grp_1", "grp_2")
PRIORITIES: Final[tuple[Priority, ...]] = ("none", "low", "high", "urgent")
TAGS: Final = ("coffee", "tea", "milk")

type Act = Callable[[Conversation, int], None]


def acts_of(member_id: str) -> dict[str, Act]:
    """Each by its name, as the member does it; ``step`` varies whom and what it concerns."""

    def other(step: int) -> str:
        return MEMBERS[step % len(MEMBERS)]

    def manages(step: int) -> bool:
        return step % 4 == 0

    return {
        "assign": lambda c, step: c.assign(
            member_id, other(step), minutes(step), manages=manages(step)
        ),
        "unassign": lambda c, step: c.unassign(member_id, manages=manages(step)),
        "forward": lambda c, step: c.forward(member_id, GROUPS[step % 2], manages=manages(step)),
        "take_over": lambda c, step: c.take_over(member_id, manages=manages(step)),
        "set_due": lambda c, step: c.set_due(member_id, minutes(step), manages=manages(step)),
        "offer": lambda c, step: c.offer(member_id, other(step), manages=manages(step)),
        "accept": lambda c, step: c.accept(member_id),
        "decline": lambda c, step: c.decline(member_id),
        "withdraw": lambda c, step: c.withdraw(member_id, manages=manages(step)),
        "add_participant": lambda c, step: c.add_participant(
            member_id, other(step), manages=manages(step)
        ),
        "remove_participant": lambda c, step: c.remove_participant(
            member_id, other(step), manages=manages(step)
        ),
        "leave": lambda c, step: c.leave(member_id),
        "open_by_hand": lambda c, step: c.open_by_hand(member_id, "loc_1", step),
        "send_to_crm": lambda c, step: c.send_to_crm(member_id, manages=manages(step)),
        "take": lambda c, step: c.take(member_id),
        "reply": lambda c, step: c.reply(member_id, f"msg_{step}", Content(text="hello")),
        "close": lambda c, step: c.close(member_id, manages=False),
        "close_any": lambda c, step: c.close(member_id, manages=True),
        "reopen": lambda c, step: c.reopen(member_id, manages=False),
        "reopen_any": lambda c, step: c.reopen(member_id, manages=True),
        "flag": lambda c, step: c.flag(member_id),
        "unflag": lambda c, step: c.unflag(member_id),
        "prioritise": lambda c, step: c.set_priority(member_id, PRIORITIES[step % 4]),
        "tag": lambda c, step: c.change_marks(
            member_id, "tag", add=(TAGS[step % 3],), remove=(TAGS[step % 2],)
        ),
        "set_fields": lambda c, step: c.set_fields(member_id, {"fld_1": step % 4}),
        "mark_message": lambda c, step: c.mark_message(member_id, f"msg_{step}", "positive"),
        "mark_read": lambda c, step: c.mark_read(member_id),
        "mark_unread": lambda c, step: c.mark_unread(member_id),
        "note": lambda c, step: c.note(member_id, f"note_{step}", "text"),
    }
