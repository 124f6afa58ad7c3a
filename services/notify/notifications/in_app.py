"""Notifications are kept, and published once they are."""

from collections.abc import Mapping

from libs.events.envelope import Envelope
from libs.events.notification import NotificationRaised
from libs.runtime.kafka import Publisher, outgoing
from services.notify.metrics import NOTIFICATIONS
from services.notify.notifications.notifications import Notifications


class InApp:
    def __init__(self, notifications: Notifications, publisher: Publisher) -> None:
        self._notifications = notifications
        self._publisher = publisher

    async def tell(self, kind: str, raised: Mapping[str, tuple[str, NotificationRaised]]) -> None:
        """``raised``: (workspace, notification) by its id. Told before is not told again.

        Errors: PublishFailed, pymongo's.
        """
        if raised:
            NOTIFICATIONS.labels(kind).inc(await self._notifications.add([*raised.values()]))
            await self._publish(raised)

    async def _publish(self, raised: Mapping[str, tuple[str, NotificationRaised]]) -> None:
        waiting = await self._notifications.unpublished([*raised])
        if not waiting:
            return
        await self._publisher.publish(
            [
                outgoing(
                    Envelope(
                        id=one.notification_id,
                        source="/notify",
                        subject=one.notification_id,
                        key=one.member_id,
                        workspace_id=workspace_id,
                        sequence=0,
                        time=one.raised_at,
                        body=one,
                    )
                )
                for workspace_id, one in (raised[each] for each in sorted(waiting))
            ]
        )
        await self._notifications.mark_published(sorted(waiting))
