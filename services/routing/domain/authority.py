"""Nobody gives, changes or takes away more than they have, and somebody owns the workspace: asked
of all that is about to happen.

What a member has are the actions of their role, and the locations that they are restricted to. An
owner is never bound by locations: one who restricted themselves could not undo it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from libs.events.directory import MemberState, Role
from services.routing.domain import facts
from services.routing.domain.errors import Beyond, Clash
from services.routing.domain.facts import Fact
from services.routing.domain.workspace import Workspace
from services.routing.permissions import actions_of


@dataclass(frozen=True, slots=True)
class Reach:
    """``locations`` None: everywhere."""

    actions: frozenset[str]
    locations: frozenset[str] | None

    def covers(self, other: "Reach") -> bool:
        if not other.actions <= self.actions:
            return False
        if self.locations is None:
            return True
        return other.locations is not None and other.locations <= self.locations


def within(there: Workspace, member_id: str, happened: Sequence[Fact]) -> Sequence[Fact]:
    """``happened``, which the member asks for. ``there`` is before it.

    Errors: Beyond; Clash where nobody would own the workspace any more.
    """
    member = there.members.get(member_id)
    if member is None or not member.active:
        raise Beyond(member_id)
    own = _reach(member.role, member.location_ids)
    for fact in happened:
        if not all(own.covers(concerned) for concerned in _concerned(there, fact)):
            raise Beyond(type(fact).__name__)
    if not _owners_after(there, happened):
        raise Clash("last-owner")
    return happened


def _owners_after(there: Workspace, happened: Sequence[Fact]) -> set[str]:
    """The active owners once it has happened."""
    role = {one.member_id: one.role for one in there.members.values()}
    active = {one.member_id for one in there.members.values() if one.active}
    for fact in happened:
        match fact:
            case facts.MemberJoined():
                role[fact.member_id] = fact.role
                active.add(fact.member_id)
            case facts.MemberChanged():
                role[fact.member_id] = fact.role
            case facts.MemberDeactivated():
                active.discard(fact.member_id)
            case facts.MemberReactivated():
                active.add(fact.member_id)
    return {one for one in active if role[one] is Role.OWNER}


def _concerned(there: Workspace, fact: Fact) -> Iterator[Reach]:
    """What is had before and after the fact by whom or what it changes."""
    match fact:
        case facts.MemberJoined() | facts.MemberChanged():
            yield _reach(fact.role, fact.location_ids)
            if (before := there.members.get(fact.member_id)) is not None:
                yield _of_member(before)
        case facts.MemberDeactivated() | facts.MemberReactivated():
            yield _of_member(there.member(fact.member_id))
        case facts.LocationSet() | facts.LocationRemoved():
            yield _at(fact.location_id)
        case facts.SourceConnected() | facts.SourceChanged():
            yield _at(fact.location_id)
            yield from _of_source(there, fact.source_id)
        case facts.SourceDisconnected():
            yield from _of_source(there, fact.source_id)
        case facts.AutoforwardSet():
            before_rule = there.autoforwards.get(fact.autoforward_id)
            for source_id in {*fact.source_ids, *(before_rule.source_ids if before_rule else ())}:
                yield from _of_source(there, source_id)
        case facts.AutoforwardRemoved():
            for source_id in there.autoforward(fact.autoforward_id).source_ids:
                yield from _of_source(there, source_id)
        case facts.CrmWebhookSet() | facts.CrmWebhookRemoved():
            # Cases of all locations go there.
            yield Reach(frozenset(), None)
        case facts.GroupSet() | facts.GroupRemoved() | facts.LabelSet() | facts.FieldSet():
            # A group shows a member no case of another location; the catalogue is everybody's.
            return
        case _:
            raise TypeError(f"nobody asks for {type(fact).__name__}")


def _of_member(member: MemberState) -> Reach:
    return _reach(member.role, member.location_ids)


def _of_source(there: Workspace, source_id: str) -> Iterator[Reach]:
    if (source := there.sources.get(source_id)) is not None:
        yield _at(source.location_id)


def _at(location_id: str) -> Reach:
    return Reach(frozenset(), frozenset({location_id}))


def _reach(role: Role, location_ids: Sequence[str]) -> Reach:
    everywhere = role is Role.OWNER or not location_ids
    return Reach(frozenset(actions_of(role)), None if everywhere else frozenset(location_ids))
