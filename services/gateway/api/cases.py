"""What is done to a case, passed on to its service: take, hand on, share, close."""

from typing import Final

from libs.events.actions import Action
from libs.events.api import ConversationView
from libs.events.api.cases import (
    AddParticipant,
    AssignCase,
    ForwardCase,
    SendToCrm,
    SetDue,
    TransferCase,
)
from libs.runtime.problems import Conflict
from services.gateway.api.passing import ANSWERED, PassThrough
from services.gateway.api.routes import Problems, Routes

_ONE: Final = "/v1/conversations/{id}"
_PARTICIPANT: Final = _ONE + "/participants/{member_id}"
_PROBLEMS: Final[Problems] = (*ANSWERED, Conflict)

_PLAIN: Final[tuple[tuple[str, Action, str, str], ...]] = (
    ("unassign", Action.ASSIGN, "unassignCase", "Put the case back into its group's New"),
    ("take-over", Action.MANAGE_CASES, "takeOverCase", "Take a case out of another's hands"),
    ("accept", Action.TRANSFER, "acceptCase", "Become the responsible of a case offered to you"),
    ("decline", Action.TRANSFER, "declineCase", "Leave an offered case with its responsible"),
    ("withdraw", Action.TRANSFER, "withdrawTransfer", "Take back an offer"),
    ("leave", Action.READ, "leaveCase", "Be a participant no longer"),
    ("close", Action.CLOSE, "closeCase", "Done with this case"),
    ("reopen", Action.REOPEN, "reopenCase", "Go on with a case that was Done"),
    ("open", Action.OPEN, "openCase", "Open a case by hand where none is open, and have it"),
)
_WITH_BODY: Final[tuple[tuple[str, Action, str, str, type], ...]] = (
    ("assign", Action.ASSIGN, "assignCase", "Give the case to a member, until when", AssignCase),
    ("due", Action.ASSIGN, "setDue", "Set, change or remove the due date", SetDue),
    ("transfer", Action.TRANSFER, "transferCase", "Offer the case to a member", TransferCase),
    ("forward", Action.FORWARD, "forwardCase", "Put the case into a group's New", ForwardCase),
    (
        "participants",
        Action.PARTICIPANTS,
        "addParticipant",
        "Add a member, who may write to the customer from then on",
        AddParticipant,
    ),
    (
        "send-to-crm",
        Action.SEND_TO_CRM,
        "sendToCrm",
        "Send the case and its customer to the CRM, and close it if asked to",
        SendToCrm,
    ),
)


# The kind of thing that each of them is, by which the member's role decides.
COMMANDS: Final[dict[str, Action]] = {
    "take": Action.TAKE,
    **{path: action for path, action, *_ in _PLAIN},
    **{path: action for path, action, *_ in _WITH_BODY},
}


def add_case_routes(routes: Routes, through: PassThrough) -> None:
    routes.add(
        "POST", _ONE + "/take", through.to(_ONE + "/take", Action.TAKE),
        name="takeCase", summary="Become the responsible of a new case",
        description="Of two who take at once one wins; the other gets a 409 that names the winner.",
        answer=ConversationView, problems=_PROBLEMS,
    )  # fmt: skip
    for path, action, name, summary in _PLAIN:
        routes.add(
            "POST", f"{_ONE}/{path}", through.to(f"{_ONE}/{path}", action),
            name=name, summary=summary, answer=ConversationView, problems=_PROBLEMS,
        )  # fmt: skip
    for path, action, name, summary, body in _WITH_BODY:
        routes.add(
            "POST", f"{_ONE}/{path}", through.to(f"{_ONE}/{path}", action, takes_body=True),
            name=name, summary=summary, body=body, answer=ConversationView, problems=_PROBLEMS,
        )  # fmt: skip
    routes.add(
        "DELETE", _PARTICIPANT, through.to(_PARTICIPANT, Action.PARTICIPANTS),
        name="removeParticipant", summary="Remove a participant",
        answer=ConversationView, problems=_PROBLEMS,
    )  # fmt: skip
