"""Nobody gives, changes or takes away more than they have, and somebody owns the workspace: asked
of all that is about to happen.

What a member has are the actions of their role, in the locations that they are restricted to.
"""

from collections.abc import Iterator, Sequence

import msgspec

from libs.events.directory import MemberState, Role
from libs.events.reach import Reach, reach_of
from services.routing.domain import events
from services.routing.domain.errors import Beyond, Clash
from services.routing.domain.events import DirectoryEvent
from services.routing.domain.permissions import actions_of
from services.routing.domain.workspace import Workspace


def within(
    there: Workspace, member_id: str, happened: Sequence[DirectoryEvent]
) -> Sequence[DirectoryEvent]:
    """``happened``, which the member asks for. ``there`` is before it.

    Errors: Beyond; Clash where nobody would own the workspace any more.
    """
    member = there.members.get(member_id)
    if member is None or not member.active:
        raise Beyond(member_id)
    own = _of_member(member)
    for fact in happened:
        if not all(own.covers(concerned) for concerned in _concerned(there, fact)):
            raise Beyond(type(fact).__name__)
    if not _owners_after(there, happened):
        raise Clash("last-owner")
    return happened


def _owners_after(there: Workspace, happened: Sequence[DirectoryEvent]) -> set[str]:
    """The active owners once it has happened."""
    role = {one.member_id: one.role for one in there.members.values()}
    active = {one.member_id for one in there.members.values() if one.active}
    for fact in happened:
        match fact:
            case events.MemberJoined():
                role[fact.member_id] = fact.role
                active.add(fact.member_id)
            case events.MemberChanged():
                role[fact.member_id] = fact.role
            case events.MemberDeactivated():
                active.discard(fact.member_id)
            case events.MemberReactivated():
                active.add(fact.member_id)
    return {one for one in active if role[one] is Role.OWNER}


def _concerned(there: Workspace, fact: DirectoryEvent) -> Iterator[Reach]:
    """What is had before and after the fact by whom or what it changes."""
    match fact:
        case events.MemberJoined() | events.MemberChanged():
            # As the fact makes them: only the role and the locations are looked at.
            yield _of_member(MemberState(**msgspec.structs.asdict(fact)))
            if (before := there.members.get(fact.member_id)) is not None:
                yield _of_member(before)
        case events.MemberDeactivated() | events.MemberReactivated():
            yield _of_member(there.member(fact.member_id))
        case events.LocationSet() | events.LocationRemoved():
            yield _at(fact.location_id)
        case events.SourceConnected() | events.SourceChanged():
            yield _at(fact.location_id)
            yield from _of_source(there, fact.source_id)
        case events.SourceDisconnected():
            yield from _of_source(there, fact.source_id)
        case events.AutoforwardSet():
            before_rule = there.autoforwards.get(fact.autoforward_id)
            for source_id in {*fact.source_ids, *(before_rule.source_ids if before_rule else ())}:
                yield from _of_source(there, source_id)
        case events.AutoforwardRemoved():
            for source_id in there.autoforward(fact.autoforward_id).source_ids:
                yield from _of_source(there, source_id)
        case events.CrmWebhookSet() | events.CrmWebhookRemoved():
            # Cases of all locations go there.
            yield Reach(frozenset(), None)
        case events.GroupSet() | events.GroupRemoved() | events.LabelSet() | events.FieldSet():
            # A group shows a member no case of another location; the catalogue is everybody's.
            return
        case _:
            raise TypeError(f"nobody asks for {type(fact).__name__}")


def _of_member(member: MemberState) -> Reach:
    return reach_of(member, actions_of(member.role))


def _of_source(there: Workspace, source_id: str) -> Iterator[Reach]:
    if (source := there.sources.get(source_id)) is not None:
        yield _at(source.location_id)


def _at(location_id: str) -> Reach:
    return Reach(frozenset(), frozenset({location_id}))
