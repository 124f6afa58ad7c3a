"""Every action in every state by everybody: run against the permission table, the rule of who may
see a case, and the aggregate. ``python -m tests.support.conversation.transitions`` writes the
outcomes into ``docs/conversation.md``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from libs.aggregates.aggregate import RuleBroken
from libs.events.actions import Action
from libs.events.content import Content
from libs.events.directory import MemberState, Role
from libs.runtime.directory import WorkspaceDirectory
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import SentBefore
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.sending import Attempt, Sending
from services.conversation.domain.conversation.written import Place
from services.conversation.localization.refusals import problem_of
from services.routing.domain.permissions import PERMISSIONS
from tests.support.conversation.cases import PLACE, ROUTED, Given, written
from tests.support.scenarios import minutes

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "conversation.md"
BEGIN: Final = "<!-- from here on: python -m tests.support.conversation.transitions -->"

NOW: Final = minutes(60)
OTHER: Final = "other"  # an operator whom the actions concern, and who does none of them here


@dataclass(frozen=True)
class Who:
    """One who acts: what they are to the case, and their role."""

    name: str
    roles: tuple[Role, ...] = (Role.OPERATOR,)


RESPONSIBLE: Final = Who("responsible")
FORMER: Final = Who("former responsible")
PARTICIPANT: Final = Who("participant")
OFFERED: Final = Who("offered to")
OPERATOR: Final = Who("operator")
MODERATOR: Final = Who("moderator", (Role.MODERATOR,))
# One column for several roles: they are alike in every cell, else it is an error.
TEAM: Final = (
    OPERATOR,
    MODERATOR,
    Who("owner, admin", (Role.OWNER, Role.ADMIN)),
    Who("analyst", (Role.ANALYST,)),
    Who("read-only", (Role.READ_ONLY,)),
)


@dataclass(frozen=True)
class By:
    """The member at work, as a command tells the aggregate of them."""

    member_id: str
    manages: bool
    untaken: bool


@dataclass(frozen=True)
class Doing:
    """``actions``: what a role has to be allowed; none where it is not a member who does it.
    ``beside``: it is kept beside the case, which decides nothing about it."""

    name: str
    actions: tuple[Action, ...]
    do: Callable[[Conversation, By], None]
    beside: bool = False


def _sent_by_responsible() -> SentBefore:
    return SentBefore(
        message_id="msg_sent",
        member_id=RESPONSIBLE.name,
        content=Content(text="Yes"),
        sent_at=NOW,
        delivery="sent",
        external_message_ids=("77",),
    )


def _failed_of_responsible() -> Sending:
    sent = MessageSent(
        at=NOW, case=1, message_id="msg_sent", content=Content(text="Yes"), member_id="responsible"
    )
    attempt = Attempt(1, NOW, RESPONSIBLE.name, "failed")
    return Sending(message_id="msg_sent", attempt=attempt, content=sent.content, since=((1, sent),))


def _reply_and_close(conversation: Conversation, by: By) -> None:
    conversation.reply(by.member_id, "msg_9", Content(text="Bye"))
    conversation.close(by.member_id, manages=by.manages, untaken=by.untaken)


def _send_to_crm_and_close(conversation: Conversation, by: By) -> None:
    conversation.send_to_crm(by.member_id, manages=by.manages)
    conversation.close(by.member_id, manages=by.manages, untaken=by.untaken)


def _block_or_unblock(conversation: Conversation, by: By) -> None:
    state = conversation.state
    conversation.set_blocked(by.member_id, blocked=state is None or not state.blocked)


def _writes(conversation: Conversation, place: Place, *, blocked: bool = False) -> None:
    conversation.set_blocked(OTHER, blocked=blocked)
    conversation.receive(written(9, NOW), place)


def _keep_a_draft(conversation: Conversation, by: By) -> None:
    """It is nobody else's business, and no event."""


MEMBERS_DOING: Final = (
    Doing("take", (Action.TAKE,), lambda c, by: c.take(by.member_id)),
    Doing("assign to another", (Action.ASSIGN,), lambda c, by: c.assign(
        by.member_id, OTHER, manages=by.manages
    )),
    Doing("unassign", (Action.ASSIGN,), lambda c, by: c.unassign(by.member_id, manages=by.manages)),
    Doing("due date", (Action.ASSIGN,), lambda c, by: c.set_due(
        by.member_id, minutes(600), manages=by.manages
    )),
    Doing("take over", (Action.MANAGE_CASES,), lambda c, by: c.take_over(
        by.member_id, manages=by.manages
    )),
    Doing("forward to a group", (Action.FORWARD,), lambda c, by: c.forward(
        by.member_id, "grp_2", manages=by.manages
    )),
    Doing("transfer to another", (Action.TRANSFER,), lambda c, by: c.offer(
        by.member_id, OTHER, manages=by.manages
    )),
    Doing("accept", (Action.TRANSFER,), lambda c, by: c.accept(by.member_id)),
    Doing("decline", (Action.TRANSFER,), lambda c, by: c.decline(by.member_id)),
    Doing("withdraw", (Action.TRANSFER,), lambda c, by: c.withdraw(
        by.member_id, manages=by.manages
    )),
    Doing("add a participant", (Action.PARTICIPANTS,), lambda c, by: c.add_participant(
        by.member_id, OTHER, manages=by.manages
    )),
    Doing("remove a participant", (Action.PARTICIPANTS,), lambda c, by: c.remove_participant(
        by.member_id, PARTICIPANT.name, manages=by.manages
    )),
    Doing("leave", (Action.READ,), lambda c, by: c.leave(by.member_id)),
    Doing("answer", (Action.ANSWER,), lambda c, by: c.reply(
        by.member_id, "msg_9", Content(text="Yes")
    )),
    Doing("answer and close", (Action.ANSWER, Action.CLOSE), _reply_and_close),
    Doing("edit what the responsible sent", (Action.ANSWER,), lambda c, by: c.edit_sent(
        by.member_id, _sent_by_responsible(), Content(text="No"), manages=by.manages
    )),
    Doing("delete what the responsible sent", (Action.ANSWER,), lambda c, by: c.delete_sent(
        by.member_id, _sent_by_responsible(), manages=by.manages
    )),
    Doing("send again what failed", (Action.ANSWER,), lambda c, by: c.resend(
        by.member_id, _failed_of_responsible()
    )),
    Doing("note", (Action.NOTE,), lambda c, by: c.note(
        by.member_id, "note_9", "VIP", manages=by.manages
    )),
    Doing("read, unread", (Action.MARK,), lambda c, by: c.mark_read(by.member_id)),
    Doing("flag, priority, tags, fields …", (Action.MARK,), lambda c, by: c.flag(by.member_id)),
    Doing("mark a message's emotion", (Action.MARK,), lambda c, by: c.mark_message(
        by.member_id, "msg_1", "positive"
    )),
    Doing("keep a draft", (Action.NOTE,), _keep_a_draft, beside=True),
    Doing("tell of an activity", (Action.RECORD_ACTIVITIES,), lambda c, by: c.record_activity(
        by.member_id, "act_9", "ordered", {}, NOW
    )),
    Doing("block, unblock the customer", (Action.BLOCK_CUSTOMERS,), _block_or_unblock),
    Doing("close", (Action.CLOSE,), lambda c, by: c.close(
        by.member_id, manages=by.manages, untaken=by.untaken
    )),
    Doing("send to the CRM", (Action.SEND_TO_CRM,), lambda c, by: c.send_to_crm(
        by.member_id, manages=by.manages
    )),
    Doing("send to the CRM and close", (Action.SEND_TO_CRM, Action.CLOSE), _send_to_crm_and_close),
    Doing("reopen", (Action.REOPEN,), lambda c, by: c.reopen(by.member_id, manages=by.manages)),
    Doing("open the next case by hand", (Action.OPEN,), lambda c, by: c.open_by_hand(
        by.member_id, "loc_1", 7
    )),
)  # fmt: skip

OTHERS_DOING: Final = (
    Doing("the customer writes", (), lambda c, by: _writes(c, PLACE)),
    Doing("… where cases are routed", (), lambda c, by: _writes(c, ROUTED)),
    Doing("… while they are blocked", (), lambda c, by: _writes(c, PLACE, blocked=True)),
    Doing("the customer edits", (), lambda c, by: c.edit(written(1, NOW), "incoming", PLACE)),
    Doing("the customer deletes", (), lambda c, by: c.deleted_elsewhere("msg_1", "incoming", NOW)),
    Doing("the account's owner writes", (), lambda c, by: c.seen_sent(written(9, NOW), PLACE)),
    Doing("who has it is deactivated", (), lambda c, by: c.member_gone(RESPONSIBLE.name, 1)),
    Doing("a participant is deactivated", (), lambda c, by: c.member_gone(PARTICIPANT.name, 1)),
    Doing("whom it is offered to is deactivated", (), lambda c, by: c.member_gone(OFFERED.name, 1)),
    Doing("a sending fails", (), lambda c, by: c.sending_failed(
        _failed_of_responsible(), 1, "failed", NOW
    )),
    Doing("routing decides", (), lambda c, by: c.route(c.case.case_id, "grp_2")),
    Doing("routing does not in time", (), lambda c, by: c.route(
        c.case.case_id, None, timed_out=True
    )),
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """A state that a case can be in, how it came there, and who is who in it."""

    name: str
    meaning: str
    given: Callable[[], Given]
    people: tuple[Who, ...]


def _routing() -> Given:
    given = Given()
    given.at(minutes(0)).receive(written(1, minutes(0)), ROUTED)
    return given


def _new() -> Given:
    given = Given()
    given.at(minutes(0)).receive(written(1, minutes(0)), PLACE)
    return given


def _active() -> Given:
    given = _new()
    given.at(minutes(1)).take(RESPONSIBLE.name)
    given.at(minutes(2)).add_participant(RESPONSIBLE.name, PARTICIPANT.name, manages=False)
    return given


def _offered() -> Given:
    given = _active()
    given.at(minutes(3)).offer(RESPONSIBLE.name, OFFERED.name, manages=False)
    return given


def _done() -> Given:
    given = _active()
    given.at(minutes(4)).close(RESPONSIBLE.name, manages=False)
    return given


def _done_untaken() -> Given:
    given = _new()
    given.at(minutes(4)).close(MODERATOR.name, manages=False, untaken=True)
    return given


def _no_case() -> Given:
    given = Given()
    given.at(minutes(0)).receive(replace(written(1, minutes(0)), blocked=True), PLACE)
    return given


def _new_again() -> Given:
    given = _new()
    given.at(minutes(1)).take(FORMER.name)
    given.at(minutes(2)).add_participant(FORMER.name, PARTICIPANT.name, manages=False)
    given.at(minutes(3)).unassign(FORMER.name, manages=False)
    return given


STATES: Final = (
    State("routing", "The case waits until routing has decided. Nobody sees it.", _routing, TEAM),
    State("new", "Nobody took it yet.", _new, TEAM),
    State(
        "new again",
        "It was taken, and unassigned or forwarded: it has no responsible.",
        _new_again,
        (FORMER, PARTICIPANT, *TEAM),
    ),
    State("active", "It has a responsible.", _active, (RESPONSIBLE, PARTICIPANT, *TEAM)),
    State(
        "active, offered",
        "The responsible offered it to a member who has not answered yet.",
        _offered,
        (RESPONSIBLE, PARTICIPANT, OFFERED, *TEAM),
    ),
    State("done", "It is closed.", _done, (RESPONSIBLE, PARTICIPANT, *TEAM)),
    State(
        "done, untaken",
        "The moderator closed it before anybody took it: it has no responsible.",
        _done_untaken,
        TEAM,
    ),
    State(
        "no case",
        "All that came was withheld: the customer was blocked when they wrote for the first time.",
        _no_case,
        TEAM,
    ),
)


class Alike(Exception):
    """Roles that share a column differ in one of its cells."""


def outcome(state: State, doing: Doing, who: Who | None) -> str:
    """What a cell says. Errors: Alike."""
    told = {_outcome(state, doing, who, role) for role in (who.roles if who else (None,))}
    if len(told) > 1:
        raise Alike(f"{doing.name} of {who} in {state.name}: {sorted(told)}")
    return told.pop()


def _outcome(state: State, doing: Doing, who: Who | None, role: Role | None) -> str:
    conversation = state.given().at(NOW)
    before = conversation.case
    by = By("", manages=False, untaken=False)
    if who and role:
        may = PERMISSIONS[role]
        if not may.issuperset(doing.actions):
            return "403"
        member = MemberState(member_id=who.name, name=who.name, email="", role=role)
        if not _DIRECTORY.may_see(member, audience_of(conversation.state)):
            return "404"
        by = By(who.name, Action.MANAGE_CASES in may, Action.CLOSE_UNTAKEN in may)
    try:
        doing.do(conversation, by)
    except RuleBroken as refusal:
        return problem_of(refusal, _DIRECTORY, "loc_1", NOW).kind
    if not conversation.changes:
        return "✓" if doing.beside else "nothing"
    after = conversation.case
    if after.number != before.number:
        return f"**next case {_whose(conversation, by)}**"
    if (after.state, after.responsible) == (before.state, before.responsible):
        return "✓"
    return f"**{_whose(conversation, by)}**"


def _whose(conversation: Conversation, by: By) -> str:
    case = conversation.case
    if case.state != "active":
        return case.state
    return "active, theirs" if case.responsible == by.member_id else "active, another's"


_DIRECTORY: Final = WorkspaceDirectory()


def document() -> str:
    """What ``DOCUMENT`` is to be: what a person wrote, then the tables."""
    written_by_hand = DOCUMENT.read_text().partition(BEGIN)[0]
    return "\n".join([written_by_hand + BEGIN, "", *_tables()])


def _tables() -> Iterator[str]:
    for state in STATES:
        yield f"### {state.name.capitalize()}"
        yield ""
        yield state.meaning
        yield ""
        yield _line("", *(who.name for who in state.people))
        yield _line(*("---" for _ in range(len(state.people) + 1)))
        for doing in MEMBERS_DOING:
            yield _line(doing.name, *(outcome(state, doing, who) for who in state.people))
        yield ""
    yield "### What no member does"
    yield ""
    yield _line("", *(state.name for state in STATES))
    yield _line(*("---" for _ in range(len(STATES) + 1)))
    for doing in OTHERS_DOING:
        yield _line(doing.name, *(outcome(state, doing, None) for state in STATES))
    yield ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the tables."""
    DOCUMENT.write_text(document())


if __name__ == "__main__":
    main()
