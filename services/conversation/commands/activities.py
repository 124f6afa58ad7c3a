"""What the customer did elsewhere, told by a funnel, a shop or a bot."""

from datetime import UTC, datetime

from libs.events.api import Sent
from libs.events.api.customers import RecordActivity
from libs.events.ids import IdKey
from services.conversation.commands.answers import Answer, SentAnswers
from services.conversation.commands.customer_checks import check_variables
from services.conversation.commands.executor import CommandExecutor
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.member import MemberContext


class ActivityCommands:
    def __init__(self, executor: CommandExecutor, sent: SentAnswers, id_key: IdKey) -> None:
        self._executor = executor
        self._sent = sent
        self._id_key = id_key

    async def record_activity(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: RecordActivity
    ) -> Answer[Sent]:
        """Errors: Invalid."""
        check_variables(asked.variables)
        now = datetime.now(UTC)
        occurred_at = asked.occurred_at or now
        if occurred_at > now:
            raise wrong("occurred_at", "future")
        member_id = actor.member_id
        activity_id = self._id_key.derive("act", conversation_id, cause)
        done = await self._executor.execute(
            actor,
            "activity",
            conversation_id,
            cause,
            lambda c: c.record_activity(
                member_id, activity_id, asked.activity, asked.variables, occurred_at
            ),
        )
        return await self._sent.of(actor, done, activity_id)
