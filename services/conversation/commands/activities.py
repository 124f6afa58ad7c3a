"""What the customer did elsewhere, told by a funnel, a shop or a bot."""

from datetime import UTC, datetime

from libs.events.api import Sent
from libs.events.api.customers import RecordActivity
from services.conversation.commands.base import Workplace
from services.conversation.commands.customer_checks import check_variables
from services.conversation.localization.localizer import wrong


class ActivityCommands(Workplace):
    async def record_activity(
        self, conversation_id: str, cause: str, asked: RecordActivity
    ) -> Sent:
        """Errors: Invalid."""
        check_variables(asked.variables)
        now = datetime.now(UTC)
        occurred_at = asked.occurred_at or now
        if occurred_at > now:
            raise wrong("occurred_at", "future")
        member_id = self._member.member_id
        activity_id = self._parts.id_key.derive("act", conversation_id, cause)
        done = await self._do(
            "activity",
            conversation_id,
            cause,
            lambda c: c.record_activity(
                member_id, activity_id, asked.activity, asked.variables, occurred_at
            ),
        )
        return await self._sent(done, activity_id)
