"""Sends the e-mails that are due, a few at a time, from every replica."""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from libs.events.conversation.case import Audience
from libs.events.directory import GroupState, MemberState
from libs.events.visibility import may_see
from libs.events.zones import zone_of
from libs.runtime.backoff import pause
from libs.runtime.directory import Directory
from libs.runtime.language import FALLBACK
from services.notify.emails.deliveries import Deliveries, Delivery
from services.notify.emails.smtp import EmailOutcome, EmailResult, Mailer, Unwritable, written
from services.notify.emails.texts import (
    AssignedCase,
    CaseInGroup,
    Text,
    assigned_case,
    case_in_group,
)
from services.notify.metrics import EMAILS, EMAILS_WAITING
from services.notify.polling import GIVE_UP_AFTER, Polling

log = structlog.get_logger()

AT_ONCE: Final = 4


class Gone(Exception):
    """The member or the group is no longer there: there is nobody to write to."""


class DeliveryWorker:
    """``retry_after`` is the pause after the first try; each next pause is twice as long."""

    def __init__(
        self,
        deliveries: Deliveries,
        mailer: Mailer,
        directory: Directory,
        console_url: str,
        retry_after: timedelta,
    ) -> None:
        self._deliveries = deliveries
        self._mailer = mailer
        self._directory = directory
        self._console_url = console_url.rstrip("/")
        self._retry_after = retry_after
        self._polling = Polling("e-mails", AT_ONCE, self._claim, self._send, self._idle)
        self.run = self._polling.run
        self.wake = self._polling.wake

    async def _claim(self) -> Delivery | None:
        if not self._directory.table.is_caught_up:
            return None
        return await self._deliveries.claim(datetime.now(UTC))

    async def _idle(self) -> None:
        uncertain = await self._deliveries.give_up_leases(datetime.now(UTC))
        if uncertain:
            EMAILS.labels(EmailOutcome.UNCERTAIN).inc(uncertain)
        EMAILS_WAITING.set(await self._deliveries.count_waiting())

    async def _send(self, delivery: Delivery) -> None:
        result = await self._tried(delivery)
        if result is not None:
            await self._settle(delivery, result)

    async def _tried(self, delivery: Delivery) -> EmailResult | None:
        try:
            recipient, text = self._written_now(delivery)
            message = written(
                text, self._mailer.sender, recipient, delivery.delivery_id, delivery.created_at
            )
        except (Gone, Unwritable) as error:
            return EmailResult(EmailOutcome.FAILED, str(error))
        return await self._mailer.send(
            message,
            recipient,
            lambda: self._deliveries.hand_over(delivery, datetime.now(UTC)),
        )

    def _written_now(self, delivery: Delivery) -> tuple[str, Text]:
        """The address and the text, from the directory as it is now. Errors: Gone."""
        directory = self._directory.of(delivery.workspace_id)
        member = directory.members.get(delivery.member_id)
        if not isinstance(member, MemberState) or not member.active:
            raise Gone("the member is no longer there")
        source = directory.sources.get(delivery.source_id)
        name = source.name if source else delivery.channel
        link = f"{self._console_url}/conversations/{delivery.conversation_id}"
        language = directory.language_of(member) or FALLBACK
        if delivery.kind != "case-in-group":
            location = directory.locations.get(delivery.location_id or "")
            zone = zone_of(location.time_zone if location else None)
            about = AssignedCase(
                member.name, name, delivery.channel, link, delivery.wanted_by, zone
            )
            return member.email, assigned_case(delivery.kind, language, about)
        group = directory.groups.get(delivery.group_id or "")
        if not isinstance(group, GroupState):
            raise Gone("the group is no longer there")
        location_id = delivery.location_id or (source.location_id if source else "")
        if not may_see(member, Audience(location_id=location_id, group_id=group.group_id), group):
            raise Gone("the member no longer sees such cases")
        in_group = CaseInGroup(member.name, group.name, name, delivery.channel, link)
        return member.email, case_in_group(language, in_group)

    async def _settle(self, delivery: Delivery, result: EmailResult) -> None:
        now = datetime.now(UTC)
        if result.outcome is EmailOutcome.RETRY and now - delivery.created_at > GIVE_UP_AFTER:
            result = EmailResult(EmailOutcome.FAILED, f"given up after a day: {result.reason}")
        EMAILS.labels(result.outcome).inc()
        if result.outcome is not EmailOutcome.SENT:
            log.warning(
                "e-mail not sent",
                delivery_id=delivery.delivery_id,
                outcome=result.outcome,
                attempt=delivery.attempt,
                reason=result.reason,
            )
        if result.outcome is EmailOutcome.RETRY:
            due_at = now + pause(self._retry_after, delivery.attempt)
            await self._deliveries.retry(delivery, due_at, result.reason)
        else:
            await self._deliveries.end(delivery, result.outcome, now, result.reason)
