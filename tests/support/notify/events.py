"""A workspace of five members, and what happens to its cases."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace as replace_fields

from libs.events.content import Channel
from libs.events.conversation.case import (
    Audience,
    CaseAssigned,
    CaseFacts,
    CaseForwarded,
    CaseReopened,
    CaseRouted,
    TransferOffered,
)
from libs.events.conversation.message import NoteAdded
from libs.events.directory import (
    DirectoryState,
    GroupState,
    LocationState,
    MemberState,
    Role,
    SourceState,
    WorkspaceState,
)
from libs.events.envelope import Envelope
from libs.events.registry import Body

OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)


OLGA = MemberState(member_id="mem_olga", name="Olga", email="olga@team.example", role=Role.OWNER)


ANNA = MemberState(member_id="mem_anna", name="Anna", email="anna@team.example", role=Role.OPERATOR)


BORIS = MemberState(
    member_id="mem_boris", name="Boris", email="boris@team.example", role=Role.OPERATOR
)


ELSEWHERE = MemberState(
    member_id="mem_else",
    name="Else",
    email="else@team.example",
    role=Role.OPERATOR,
    location_ids=("loc_b",),
)


GONE = MemberState(
    member_id="mem_gone", name="Gone", email="gone@team.example", role=Role.OPERATOR, active=False
)


SALES = GroupState(
    group_id="grp_sales",
    name="Sales",
    member_ids=(ANNA.member_id, ELSEWHERE.member_id, GONE.member_id),
)


EVERYONE = GroupState(group_id="grp_all", name="Everyone")


SOURCE = SourceState(
    source_id="src_a",
    channel=Channel.TELEGRAM,
    name="Shop bot",
    location_id="loc_a",
    account="1",
)


def directory_states(workspace_id: str) -> dict[str, DirectoryState]:
    return {
        workspace_id: WorkspaceState(workspace_id=workspace_id, name="Shop"),
        "loc_a": LocationState(location_id="loc_a", name="Centre"),
        **{one.member_id: one for one in (OLGA, ANNA, BORIS, ELSEWHERE, GONE)},
        SALES.group_id: SALES,
        EVERYONE.group_id: EVERYONE,
        SOURCE.source_id: SOURCE,
    }


def routed(number: int = 1, group_id: str | None = SALES.group_id, **case: Any) -> Envelope:
    """A case that left routing for New, in a workspace that ``Notify.tell`` puts in."""
    event = CaseRouted(
        case=case_facts(number, group_id, **case),
        recorded_at=OPENED.replace(minute=number),
        audience_after=Audience(location_id="loc_a", group_id=group_id),
        reason="autoforward",
    )
    return case_event(number, 2, event)


def given_to(
    member: MemberState,
    by: MemberState,
    how: type[CaseAssigned | CaseReopened | TransferOffered] = CaseAssigned,
    due_at: datetime | None = None,
) -> Envelope:
    """The same case, assigned to a member, reopened for them, or offered to them."""
    offered = how is TransferOffered
    from_routing = routed(group_id=None)
    assert isinstance(from_routing.body, CaseRouted)
    facts = replace_fields(
        from_routing.body.case,
        state="active",
        responsible=by.member_id if offered else member.member_id,
        due_at=due_at,
    )
    common: dict[str, Any] = {
        "case": facts,
        "recorded_at": from_routing.body.recorded_at,
        "audience_after": Audience(location_id="loc_a", member_ids=(member.member_id,)),
        "member_id": by.member_id,
    }
    if offered:
        common["to"] = member.member_id
    body = how(**common)
    return replace(from_routing, id=f"cnv_1:{4 if offered else 3}", sequence=3, body=body)


def noted(author: MemberState, *mentioned: MemberState, number: int = 1) -> Envelope:
    """A note in a case of the group Sales."""
    event = NoteAdded(
        case=case_facts(number, SALES.group_id),
        recorded_at=OPENED.replace(minute=number),
        audience_after=Audience(location_id="loc_a", group_id=SALES.group_id),
        note_id="note_1",
        member_id=author.member_id,
        text="Look at this",
        mentions=tuple(member.member_id for member in mentioned),
    )
    return case_event(number, 3, event)


def case_facts(number: int, group_id: str | None, **case: Any) -> CaseFacts:
    facts = {
        "case_id": f"cas_{number}",
        "conversation_id": f"cnv_{number}",
        "source_id": SOURCE.source_id,
        "channel": Channel.TELEGRAM,
        "location_id": "loc_a",
        "customer_id": "cus_a",
        "state": "new",
        "opened_at": OPENED,
        "opened_by": "customer",
        "group_id": group_id,
        **case,
    }
    return CaseFacts(**facts)


def case_event(number: int, sequence: int, event: Body) -> Envelope:
    return Envelope(
        id=f"cnv_{number}:{sequence}",
        source="/conversation",
        subject=f"cnv_{number}",
        key=f"cnv_{number}",
        workspace_id="",
        sequence=sequence,
        time=OPENED,
        body=event,
    )


def forwarded(member_id: str, group_id: str) -> Envelope:
    """The same case, forwarded by a member to a group."""
    from_routing = routed(group_id=group_id)
    assert isinstance(from_routing.body, CaseRouted)
    event = CaseForwarded(
        case=from_routing.body.case,
        recorded_at=from_routing.body.recorded_at,
        audience_after=from_routing.body.audience_after,
        member_id=member_id,
    )
    return replace(from_routing, id="cnv_1:3", sequence=3, body=event)
