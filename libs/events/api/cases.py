"""What is asked of a case: who is responsible, and who helps."""

from libs.events.api.requests import RequestBody
from libs.events.registry import Instant


class AssignCase(RequestBody):
    """``due_at`` None: the due date stays as it is."""

    member_id: str
    due_at: Instant | None = None


class SetDue(RequestBody):
    """``due_at`` null: there is no due date any more."""

    due_at: Instant | None


class TransferCase(RequestBody):
    member_id: str


class ForwardCase(RequestBody):
    group_id: str


class AddParticipant(RequestBody):
    member_id: str


class SendToCrm(RequestBody):
    """``close``: and Done, in one step."""

    close: bool = False
