"""Who is responsible for a case, and who helps: the directory says who may, the case whether."""

from datetime import UTC, datetime

from libs.events.api import ConversationView
from libs.events.api.cases import AddParticipant, AssignCase, ForwardCase, SetDue, TransferCase
from libs.events.directory import MemberState
from services.conversation.commands.answers import Answer
from services.conversation.commands.executor import CommandExecutor
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.assignment import NotForMember
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.member import MemberContext


class AssignmentCommands:
    def __init__(self, executor: CommandExecutor) -> None:
        self._executor = executor

    async def assign(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: AssignCase
    ) -> Answer[ConversationView]:
        """Errors: Invalid, TakenBy, TransferNeeded, AlreadyDone, NotForMember."""
        to, me, manages = _who_answers(actor, asked.member_id), actor.member_id, actor.manages
        _check_due(asked.due_at)

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)
            conversation.assign(
                me, to.member_id, asked.due_at, manages=manages, answers=actor.answers
            )
            if not actor.directory.may_see(to, audience):
                raise NotForMember(to.member_id)

        return await self._executor.act(actor, "assign", conversation_id, cause, decide)

    async def set_due(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: SetDue
    ) -> Answer[ConversationView]:
        """Errors: Invalid, TakenBy, AlreadyDone."""
        me, manages = actor.member_id, actor.manages
        _check_due(asked.due_at)
        return await self._executor.act(
            actor,
            "due",
            conversation_id,
            cause,
            lambda c: c.set_due(me, asked.due_at, manages=manages),
        )

    async def unassign(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone."""
        me, manages = actor.member_id, actor.manages
        return await self._executor.act(
            actor, "unassign", conversation_id, cause, lambda c: c.unassign(me, manages=manages)
        )

    async def take_over(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone."""
        me, manages = actor.member_id, actor.manages
        return await self._executor.act(
            actor,
            "take-over",
            conversation_id,
            cause,
            lambda c: c.take_over(me, manages=manages, answers=actor.answers),
        )

    async def forward(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: ForwardCase
    ) -> Answer[ConversationView]:
        """Errors: Invalid, TakenBy, AlreadyDone."""
        me, manages, group_id = actor.member_id, actor.manages, asked.group_id
        if group_id not in actor.directory.groups:
            raise wrong("group_id", "not-a-group")
        return await self._executor.act(
            actor,
            "forward",
            conversation_id,
            cause,
            lambda c: c.forward(me, group_id, manages=manages),
        )

    async def transfer(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: TransferCase
    ) -> Answer[ConversationView]:
        """Errors: Invalid, TakenBy, NobodyTookIt, AlreadyDone, AlreadyResponsible, AlreadyOffered,
        NotForMember."""
        to, me, manages = _who_answers(actor, asked.member_id), actor.member_id, actor.manages

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)
            conversation.offer(me, to.member_id, manages=manages)
            if not actor.directory.may_see(to, audience):
                raise NotForMember(to.member_id)

        return await self._executor.act(actor, "transfer", conversation_id, cause, decide)

    async def accept(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: NothingOffered, OfferedToAnother, AlreadyDone."""
        me = actor.member_id
        return await self._executor.act(
            actor, "accept", conversation_id, cause, lambda c: c.accept(me, answers=actor.answers)
        )

    async def decline(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: NothingOffered, OfferedToAnother, AlreadyDone."""
        me = actor.member_id
        return await self._executor.act(
            actor, "decline", conversation_id, cause, lambda c: c.decline(me)
        )

    async def withdraw(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy, NobodyTookIt, NothingOffered, AlreadyDone."""
        me, manages = actor.member_id, actor.manages
        return await self._executor.act(
            actor, "withdraw", conversation_id, cause, lambda c: c.withdraw(me, manages=manages)
        )

    async def add_participant(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: AddParticipant
    ) -> Answer[ConversationView]:
        """Somebody from anywhere in the workspace: from then on they may see the case.

        Errors: Invalid, TakenBy, NobodyTookIt, AlreadyDone, AlreadyResponsible,
        TooManyParticipants.
        """
        added = _who_answers(actor, asked.member_id).member_id
        me, manages = actor.member_id, actor.manages
        return await self._executor.act(
            actor,
            "add-participant",
            conversation_id,
            cause,
            lambda c: c.add_participant(me, added, manages=manages),
        )

    async def remove_participant(
        self, actor: MemberContext, conversation_id: str, participant_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone, NotParticipant."""
        me, manages = actor.member_id, actor.manages
        return await self._executor.act(
            actor,
            "remove-participant",
            conversation_id,
            cause,
            lambda c: c.remove_participant(me, participant_id, manages=manages),
        )

    async def leave(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: ResponsibleStays, NotParticipant."""
        me = actor.member_id
        return await self._executor.act(
            actor, "leave", conversation_id, cause, lambda c: c.leave(me)
        )


def _who_answers(actor: MemberContext, member_id: str) -> MemberState:
    """A member who may have to do with a case. Errors: Invalid."""
    member = actor.directory.members.get(member_id)
    if member is None or not actor.answers(member_id):
        raise wrong("member_id", "does-not-answer")
    return member


def _check_due(due_at: datetime | None) -> None:
    if due_at is not None and due_at <= datetime.now(UTC):
        raise wrong("due_at", "past")
