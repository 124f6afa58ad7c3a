"""Posts the cases that members sent to their CRM, a few at a time, from every replica."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from libs.events.directory import MemberState, Role
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.backoff import pause
from libs.runtime.consumer import Received
from libs.runtime.directory import Directory
from libs.runtime.kafka import PublishFailed
from libs.runtime.sealing import CannotOpen, Sealer
from services.notify.crm.deliveries import CrmDeliveries, CrmDelivery, delivery_of
from services.notify.crm.message import headers_of, written
from services.notify.crm.posting import Poster, PostOutcome, PostResult
from services.notify.metrics import CRM, CRM_WAITING
from services.notify.notifications.in_app import InApp
from services.notify.polling import GIVE_UP_AFTER, Polling

log = structlog.get_logger()

SEAL_PURPOSE: Final = "crm-webhook"
NOT_REACHED: Final = "crm-not-reached"
AT_ONCE: Final = 8
# A CRM that answers slowly holds up no other workspace's.
AT_ONCE_OF_A_WORKSPACE: Final = 2
# An address set a moment ago may reach the directory here after the first case for it does.
TRIES_WITHOUT_WEBHOOK: Final = 3


class CrmWorker:
    """``sealer`` is the one for the purpose above; ``retry_after`` is the pause after the first
    failed try, each next is twice as long. Its ``run`` goes to the runtime's tasks."""

    def __init__(
        self,
        deliveries: CrmDeliveries,
        poster: Poster,
        directory: Directory,
        in_app: InApp,
        ids: IdKey,
        sealer: Sealer,
        console_url: str,
        retry_after: timedelta,
    ) -> None:
        self._deliveries = deliveries
        self._poster = poster
        self._directory = directory
        self._in_app = in_app
        self._ids = ids
        self._sealer = sealer
        self._console_url = console_url
        self._retry_after = retry_after
        self._busy: Counter[str] = Counter()
        self._polling = Polling("CRM", AT_ONCE, self._claim, self._deliver, self._idle)
        self.run = self._polling.run

    async def write_down(self, batch: Sequence[Received]) -> None:
        """What of these events goes to a CRM: durable on return. Errors: pymongo's."""
        now = datetime.now(UTC)
        found = [one for each in batch if (one := delivery_of(each.envelope, now))]
        if await self._deliveries.add(found):
            self._polling.wake()

    async def _claim(self) -> CrmDelivery | None:
        if not self._directory.table.is_caught_up:
            return None
        full = [one for one, count in self._busy.items() if count >= AT_ONCE_OF_A_WORKSPACE]
        delivery = await self._deliveries.claim(datetime.now(UTC), not_of=full)
        if delivery is not None:
            self._busy[delivery.workspace_id] += 1
        return delivery

    async def _idle(self) -> None:
        await self._deliveries.give_up_leases(datetime.now(UTC))
        CRM_WAITING.set(await self._deliveries.count_waiting())

    async def _deliver(self, delivery: CrmDelivery) -> None:
        try:
            await self._settle(delivery, await self._tried(delivery))
        finally:
            self._busy[delivery.workspace_id] -= 1
            if not self._busy[delivery.workspace_id]:
                del self._busy[delivery.workspace_id]
            self._polling.wake()

    async def _tried(self, delivery: CrmDelivery) -> PostResult:
        there = self._directory.of(delivery.workspace_id)
        webhook = there.crm_webhook
        if webhook is None:
            later = delivery.attempt < TRIES_WITHOUT_WEBHOOK
            return PostResult(
                PostOutcome.RETRY if later else PostOutcome.FAILED, "no webhook is set"
            )
        try:
            secret = self._sealer.open(webhook.sealed_secret, delivery.workspace_id).decode()
        except CannotOpen:
            return PostResult(PostOutcome.RETRY, "the secret does not open")
        body = written(delivery, there, self._console_url)
        headers = headers_of(delivery.delivery_id, body, secret, datetime.now(UTC))
        return await self._poster.post(webhook.url, body, headers)

    async def _settle(self, delivery: CrmDelivery, result: PostResult) -> None:
        now = datetime.now(UTC)
        if result.outcome is PostOutcome.RETRY and now - delivery.created_at > GIVE_UP_AFTER:
            result = PostResult(PostOutcome.FAILED, f"given up after a day: {result.reason}")
        CRM.labels(result.outcome).inc()
        if result.outcome is not PostOutcome.DELIVERED:
            log.warning(
                "case not delivered to the CRM",
                workspace=delivery.workspace_id,
                conversation=delivery.conversation_id,
                outcome=result.outcome,
                attempt=delivery.attempt,
                reason=result.reason,
            )
        if result.outcome is PostOutcome.RETRY:
            due_at = now + max(pause(self._retry_after, delivery.attempt), result.wait)
            await self._deliveries.retry(delivery, due_at, result.reason)
            return
        if result.outcome is PostOutcome.FAILED:
            try:
                await self._tell(delivery, now)
            except PublishFailed as error:
                # Not over before people are told: its lease ends, and it is tried once more.
                log.warning("a failure could not be told", error=repr(error))
                return
        await self._deliveries.end(delivery, result.outcome, now, result.reason)

    async def _tell(self, delivery: CrmDelivery, now: datetime) -> None:
        raised = [
            NotificationRaised(
                notification_id=self._ids.derive(
                    "ntf", delivery.workspace_id, delivery.delivery_id, member.member_id
                ),
                member_id=member.member_id,
                kind=NOT_REACHED,
                conversation_id=delivery.conversation_id,
                case_id=delivery.case_id,
                raised_at=now,
                group_id=delivery.audience.group_id,
            )
            for member in self._told(delivery)
        ]
        told = {one.notification_id: (delivery.workspace_id, one) for one in raised}
        await self._in_app.tell(NOT_REACHED, told)

    def _told(self, delivery: CrmDelivery) -> list[MemberState]:
        """Who sent it, and who can mend the webhook; of these, who may see the case."""
        there = self._directory.of(delivery.workspace_id)
        return [
            member
            for member in there.members.values()
            if (member.role in (Role.OWNER, Role.ADMIN) or member.member_id == delivery.member_id)
            and there.may_see(member, delivery.audience)
        ]
