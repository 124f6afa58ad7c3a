"""In whose hands a case is, and who helps: the directory says who may, the case says whether."""

from datetime import UTC, datetime

from libs.events.api import ConversationView
from libs.events.api.cases import AddParticipant, AssignCase, ForwardCase, SetDue, TransferCase
from libs.events.directory import MemberState
from services.conversation.commands.base import Workplace
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.assignment import NotForMember
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.localization.localizer import wrong


class HandsCommands(Workplace):
    async def assign(self, conversation_id: str, cause: str, asked: AssignCase) -> ConversationView:
        """Errors: Invalid, CaseTaken, TransferNeeded, CaseDone, NotForThisMember."""
        to, me, manages = self._who_answers(asked.member_id), self._member.member_id, self._manages
        _check_due(asked.due_at)

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)
            conversation.assign(
                me, to.member_id, asked.due_at, manages=manages, answers=self._answers
            )
            if not self._directory.may_see(to, audience):
                raise NotForMember(to.member_id)

        return await self._acted("assign", conversation_id, cause, decide)

    async def set_due(self, conversation_id: str, cause: str, asked: SetDue) -> ConversationView:
        """Errors: Invalid, CaseTaken, CaseDone."""
        me, manages = self._member.member_id, self._manages
        _check_due(asked.due_at)
        return await self._acted(
            "due", conversation_id, cause, lambda c: c.set_due(me, asked.due_at, manages=manages)
        )

    async def unassign(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone."""
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "unassign", conversation_id, cause, lambda c: c.unassign(me, manages=manages)
        )

    async def take_over(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone."""
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "take-over",
            conversation_id,
            cause,
            lambda c: c.take_over(me, manages=manages, answers=self._answers),
        )

    async def forward(
        self, conversation_id: str, cause: str, asked: ForwardCase
    ) -> ConversationView:
        """Errors: Invalid, CaseTaken, CaseDone."""
        me, manages, group_id = self._member.member_id, self._manages, asked.group_id
        if group_id not in self._directory.groups:
            raise wrong("group_id", "not-a-group")
        return await self._acted(
            "forward",
            conversation_id,
            cause,
            lambda c: c.forward(me, group_id, manages=manages),
        )

    async def transfer(
        self, conversation_id: str, cause: str, asked: TransferCase
    ) -> ConversationView:
        """Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone, CaseHeld, CaseOffered,
        NotForThisMember."""
        to, me, manages = self._who_answers(asked.member_id), self._member.member_id, self._manages

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)
            conversation.offer(me, to.member_id, manages=manages)
            if not self._directory.may_see(to, audience):
                raise NotForMember(to.member_id)

        return await self._acted("transfer", conversation_id, cause, decide)

    async def accept(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseNotOffered, CaseOfferedToAnother, CaseDone."""
        me = self._member.member_id
        return await self._acted(
            "accept", conversation_id, cause, lambda c: c.accept(me, answers=self._answers)
        )

    async def decline(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseNotOffered, CaseOfferedToAnother, CaseDone."""
        me = self._member.member_id
        return await self._acted("decline", conversation_id, cause, lambda c: c.decline(me))

    async def withdraw(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseNotOffered, CaseDone."""
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "withdraw", conversation_id, cause, lambda c: c.withdraw(me, manages=manages)
        )

    async def add_participant(
        self, conversation_id: str, cause: str, asked: AddParticipant
    ) -> ConversationView:
        """Somebody from anywhere in the workspace: from then on they may see the case.

        Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone, CaseHeld, ParticipantsFull.
        """
        added = self._who_answers(asked.member_id).member_id
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "add-participant",
            conversation_id,
            cause,
            lambda c: c.add_participant(me, added, manages=manages),
        )

    async def remove_participant(
        self, participant_id: str, conversation_id: str, cause: str
    ) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone, NotAParticipant."""
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "remove-participant",
            conversation_id,
            cause,
            lambda c: c.remove_participant(me, participant_id, manages=manages),
        )

    async def leave(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: ResponsibleCannotLeave, NotAParticipant."""
        me = self._member.member_id
        return await self._acted("leave", conversation_id, cause, lambda c: c.leave(me))

    def _who_answers(self, member_id: str) -> MemberState:
        """A member who may have to do with a case. Errors: Invalid."""
        member = self._directory.members.get(member_id)
        if member is None or not self._answers(member_id):
            raise wrong("member_id", "does-not-answer")
        return member


def _check_due(due_at: datetime | None) -> None:
    if due_at is not None and due_at <= datetime.now(UTC):
        raise wrong("due_at", "past")
