"""Forgetting a customer: of the conversation stays when and how much was written, and by whom of
the team; what was said and who the customer is does not."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from services.conversation.domain.conversation.life import Life, MemberEvent
from services.conversation.domain.conversation.state import ConversationState, KnownAs
from services.conversation.domain.events import stored

# An id has 34 characters, and a commit holds it twice: these take a fifth of its limit.
ATTACHMENTS_AT_ONCE: Final = 2_000


def without_person(state: ConversationState) -> ConversationState:
    """The state without what the customer said and who they are. Where they stand in the funnel
    and in which sales plans stays, as it does on their own stream."""
    head = state.last_message
    return replace(
        without_card(state),
        thread=replace(state.thread, thread="", post=None),
        customer_name="",
        case=replace(state.case, fields={}),
        last_message=replace(head, preview="") if head else None,
    )


def without_card(state: ConversationState) -> ConversationState:
    """The state without what it shows of the card."""
    shown = state.shown_as
    blank = KnownAs(
        shown.customer_id,
        edits=shown.edits,
        funnel_status=shown.funnel_status,
        sales_plans=shown.sales_plans,
    )
    return replace(state, known_as=blank)


@stored("conversation.customer-erased.v1")
class CustomerErased(MemberEvent, frozen=True, kw_only=True):
    """What stands before this event, which is at version ``upto``, is forgotten.

    ``erasure``: 1 for the first time that this person was forgotten. It is the same in all their
    conversations, whichever of them had been there the time before. ``primary_id`` is whose card
    was the person's then; what is told of its first ``edits``, which were forgotten, stays out.
    """

    erasure: int
    upto: int
    primary_id: str | None = None
    edits: int = 0

    def change(self, state: ConversationState) -> ConversationState:
        after = replace(without_person(state), erasures=self.erasure, forgotten=self.upto)
        if self.primary_id is None:
            return after
        shown = state.shown_as
        before = shown.edits if shown.customer_id == self.primary_id else 0
        known = replace(after.shown_as, customer_id=self.primary_id, edits=self.edits or before)
        return replace(after, known_as=known)


@stored("conversation.attachments-erased.v1")
class AttachmentsErased(MemberEvent, frozen=True, kw_only=True):
    """The files that belonged to what was forgotten; each such event names some of them."""

    attachment_ids: tuple[str, ...]

    def change(self, state: ConversationState) -> ConversationState:
        return state


class Erasure(Life):
    """The rules of forgetting: there are none against it, whatever state the case is in."""

    def erase_customer(
        self, member_id: str, erasure: int, primary_id: str | None = None, edits: int = 0
    ) -> None:
        """Done once for each erasure of the person; ``primary_id``: whose card is theirs."""
        if self.state is not None and self.state.erasures < erasure:
            self._trigger(
                CustomerErased(
                    at=self.at(self.now),
                    case=self.case.number,
                    member_id=member_id,
                    erasure=erasure,
                    upto=self.version + 1,
                    primary_id=primary_id,
                    edits=edits,
                )
            )

    def erase_attachments(self, member_id: str, attachment_ids: Sequence[str]) -> None:
        """At most ``ATTACHMENTS_AT_ONCE``."""
        self._trigger(
            AttachmentsErased(
                at=self.at(self.now),
                case=self.case.number,
                member_id=member_id,
                attachment_ids=tuple(attachment_ids),
            )
        )
