"""``parley.conversation``: a new or forwarded case in a group, and one that is put into somebody's
hands, become notifications and e-mails; a mention in a note, and a message that did not arrive, a
notification."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from libs.events.conversation.case import CaseForwarded, CaseOpened, CaseRouted
from libs.events.directory import GroupState, MemberState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.directory import Directory
from services.notify.emails.deliveries import Deliveries, Delivery
from services.notify.metrics import GROUPS_UNKNOWN
from services.notify.notifications.assignment import (
    ASSIGNED,
    OFFERED,
    Assignment,
    assignment_of,
    email,
    notification,
)
from services.notify.notifications.departures import MEMBER_GONE, departures_of
from services.notify.notifications.in_app import InApp
from services.notify.notifications.mentions import MENTION, mentions_of
from services.notify.notifications.recipients import told_of_case
from services.notify.notifications.rules import CASE_IN_GROUP, Rules
from services.notify.notifications.undelivered import NOT_DELIVERED, undelivered_of

log = structlog.get_logger()

_DIRECTORY_WAIT_SECONDS: Final = 2.0
_DIRECTORY_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class NewCase:
    """An event by which a case stands in a group's New tab."""

    envelope: Envelope
    event: CaseOpened | CaseRouted | CaseForwarded
    group_id: str


def new_case(envelope: Envelope) -> NewCase | None:
    event = envelope.body
    if not isinstance(event, CaseOpened | CaseRouted | CaseForwarded) or event.case.state != "new":
        return None
    return NewCase(envelope, event, event.case.group_id) if event.case.group_id else None


class Announcer:
    """``on_email`` is called when e-mails were written down; None: e-mail is off."""

    def __init__(
        self,
        directory: Directory,
        rules: Rules,
        in_app: InApp,
        deliveries: Deliveries,
        ids: IdKey,
        on_email: Callable[[], None] | None,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._in_app = in_app
        self._deliveries = deliveries
        self._ids = ids
        self._on_email = on_email

    async def announce(self, batch: Sequence[Received]) -> list[Refused]:
        """Durable on return. Errors: Transient, PublishFailed, pymongo's."""
        if not self._directory.table.is_caught_up:
            raise Transient("the directory is not read to its end yet")
        cases = [case for one in batch if (case := new_case(one.envelope))]
        if cases:
            await self._wait_for_groups(cases)
            await self._tell(cases)
        mentioned = {
            raised.notification_id: (one.envelope.workspace_id, raised)
            for one in batch
            for raised in mentions_of(one.envelope, self._directory, self._ids)
        }
        await self._in_app.tell(MENTION, mentioned)
        undelivered = {
            raised.notification_id: (one.envelope.workspace_id, raised)
            for one in batch
            if (raised := undelivered_of(one.envelope, self._directory, self._ids))
        }
        await self._in_app.tell(NOT_DELIVERED, undelivered)
        gone: dict[str, tuple[str, NotificationRaised]] = {}
        for one in batch:
            for raised in departures_of(one.envelope, self._directory, self._ids):
                gone.setdefault(raised.notification_id, (one.envelope.workspace_id, raised))
        await self._in_app.tell(MEMBER_GONE, gone)
        await self._tell_of_hands(
            [h for one in batch if (h := assignment_of(one.envelope, self._directory))]
        )
        return []

    async def _tell_of_hands(self, assignment: Sequence[Assignment]) -> None:
        if self._on_email is not None:
            now = datetime.now(UTC)
            await self._write_down([email(one, self._ids, now) for one in assignment])
        for kind in (ASSIGNED, OFFERED):
            raised = [
                (one.envelope.workspace_id, notification(one, self._ids))
                for one in assignment
                if one.kind == kind
            ]
            await self._in_app.tell(kind, {one.notification_id: (of, one) for of, one in raised})

    async def _tell(self, cases: Sequence[NewCase]) -> None:
        rules = await self._rules.of(case.envelope.workspace_id for case in cases)
        # By id: the same event may be in one batch twice.
        raised: dict[str, tuple[str, NotificationRaised]] = {}
        deliveries: list[Delivery] = []
        now = datetime.now(UTC)
        for case in cases:
            rule = rules[case.envelope.workspace_id]
            for member in self._told(case) if rule.enabled else []:
                if rule.in_app:
                    one = self._raised(case, member)
                    raised[one.notification_id] = (case.envelope.workspace_id, one)
                if rule.email and self._on_email is not None:
                    deliveries.append(self._delivery(case, member, now))
        # E-mails first: a notification that shows as published then has its e-mail written down.
        await self._write_down(deliveries)
        await self._in_app.tell(CASE_IN_GROUP, raised)

    async def _write_down(self, deliveries: Sequence[Delivery]) -> None:
        if await self._deliveries.add(deliveries) and self._on_email:
            self._on_email()

    def _group(self, case: NewCase) -> GroupState | None:
        return self._directory.of(case.envelope.workspace_id).groups.get(case.group_id)

    def _told(self, case: NewCase) -> list[MemberState]:
        group = self._group(case)
        if group is None:
            GROUPS_UNKNOWN.inc()
            log.warning("nobody is told: the group is not known", group_id=case.group_id)
            return []
        members = self._directory.of(case.envelope.workspace_id).members.values()
        told = told_of_case(members, group, case.event.audience_after)
        by = case.event.member_id if isinstance(case.event, CaseForwarded) else None
        return [member for member in told if member.member_id != by]

    def _id(self, kind: str, case: NewCase, member: MemberState) -> str:
        return self._ids.derive(
            kind, case.envelope.workspace_id, case.envelope.id, member.member_id
        )

    def _raised(self, case: NewCase, member: MemberState) -> NotificationRaised:
        return NotificationRaised(
            notification_id=self._id("ntf", case, member),
            member_id=member.member_id,
            kind=CASE_IN_GROUP,
            conversation_id=case.event.case.conversation_id,
            case_id=case.event.case.case_id,
            raised_at=case.event.recorded_at,
            group_id=case.group_id,
        )

    def _delivery(self, case: NewCase, member: MemberState, now: datetime) -> Delivery:
        return Delivery(
            delivery_id=self._id("eml", case, member),
            workspace_id=case.envelope.workspace_id,
            member_id=member.member_id,
            conversation_id=case.event.case.conversation_id,
            group_id=case.group_id,
            source_id=case.event.case.source_id,
            channel=str(case.event.case.channel),
            created_at=now,
            location_id=case.event.case.location_id,
        )

    async def _wait_for_groups(self, cases: Sequence[NewCase]) -> None:
        """A group made a moment ago may reach the directory here after its first case does."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _DIRECTORY_WAIT_SECONDS
        while any(self._group(case) is None for case in cases):
            if loop.time() >= until:
                return
            await asyncio.sleep(_DIRECTORY_POLL_SECONDS)
