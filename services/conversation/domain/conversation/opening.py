"""Open a case by hand, where the conversation has none open."""

from services.conversation.domain.conversation.life import Answers, CaseOpened, Life, anybody
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member


class HasOpenCase(Refusal):
    """The latest case is not done, so no other is opened: ``member_id`` has it, or nobody yet."""

    kind = "has-open-case"

    def __init__(self, member_id: str | None) -> None:
        if member_id is None:
            super().__init__(variant="nobody")
        else:
            super().__init__({"member": Member(member_id)}, member_id=member_id)
        self.member_id = member_id


class Opening(Life):
    def open_by_hand(
        self,
        member_id: str,
        location_id: str,
        short_number: int,
        *,
        answers: Answers = anybody,
    ) -> None:
        """The next case of a conversation whose latest is done, with who opened it as responsible.

        ``location_id`` is the source's, ``short_number`` the workspace's next. Errors: HasOpenCase.
        """
        case, state = self.case, self.state
        if state is None or case.state != "done":
            raise HasOpenCase(case.responsible)
        thread = state.thread
        self._trigger(
            CaseOpened(
                at=max(self.now, case.closed_at or self.now),
                workspace_id=thread.workspace_id,
                conversation_id=thread.conversation_id,
                source_id=thread.source_id,
                channel=thread.channel,
                thread=thread.thread,
                post=thread.post,
                customer_id=state.customer_id,
                customer_name=state.customer_name,
                number=case.number + 1,
                location_id=location_id,
                opened_by="team",
                recorded_at=self.now,
                routed=False,
                responsible_before=case.responsible or case.responsible_before,
                short_number=short_number,
                member_id=member_id,
            )
        )
        self.take(member_id, answers=answers)
