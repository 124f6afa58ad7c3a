"""System messages and refusals: told in every language, with nothing missing.

Whoever adds an action finds here what is still to be said.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from libs.aggregates.aggregate import RuleBroken
from libs.aggregates.commands import NotThere, TooMuch
from libs.events.api.directory import Language
from libs.events.content import Channel
from libs.events.directory import (
    FieldState,
    GroupState,
    LabelState,
    LocationState,
    MemberState,
    Role,
)
from libs.events.marks import PRIORITIES, Emotion, MarkKind
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.language import LANGUAGES, listen
from libs.runtime.problems import TooLarge
from services.conversation.domain.conversation import (
    assignment,
    corrections,
    life,
    marks,
    messages,
    opening,
    participants,
    sending,
    transfer,
)
from services.conversation.domain.conversation.blocking import EditWithheld
from services.conversation.domain.conversation.erasure import AttachmentsErased
from services.conversation.domain.conversation.watermarks import WatermarkMoved
from services.conversation.domain.customer import card as customer_card
from services.conversation.domain.customer import identities as customer_identities
from services.conversation.domain.events import Event, name_of
from services.conversation.domain.sent_message import DeliveryChanged
from services.conversation.domain.variables import Fields, Labels, Names
from services.conversation.localization.localizer import TEXTS, Localizer
from services.conversation.localization.refusals import RefusalProblem, problem_of
from services.conversation.localization.system_messages import Trace, told, trace_of
from services.conversation.read_models.views import is_item
from tests.support.conversation.stored import EXAMPLES
from tests.support.texts import check_files, check_texts, variables_of

AT = datetime(2026, 11, 2, 8, 41, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 20, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)

# An example of every rule that can be broken.
BROKEN: list[RuleBroken] = [
    life.TakenBy("mem_2", AT),
    life.NobodyTookIt(),
    life.AlreadyDone("mem_2", AT),
    life.NoCaseYet(),
    life.StillOpen(),
    life.NobodyToAnswer(),
    opening.HasOpenCase("mem_2"),
    opening.HasOpenCase(None),
    assignment.TransferNeeded(),
    assignment.NotForMember("mem_2"),
    transfer.AlreadyResponsible("mem_2", AT),
    transfer.AlreadyOffered("mem_2", AT),
    transfer.OfferedToAnother("mem_2"),
    transfer.NothingOffered(),
    participants.NotParticipant("mem_2"),
    participants.ResponsibleStays(),
    participants.TooManyParticipants(50),
    marks.TooManyMarks("tag", 50),
    marks.TooManyFields(),
    marks.FieldsMissing(("fld_1", "fld_2")),
    corrections.WrittenByAnother("mem_2"),
    corrections.WrittenElsewhere(),
    corrections.NotSentYet("queued"),
    corrections.AlreadyDeleted(AT),
    corrections.NoTextToEdit(),
    messages.NothingPublic(),
    messages.SourceDisconnected("src_1"),
    sending.NotFailed("queued"),
    sending.NotFailed("sent"),
    corrections.MessageForgotten(),
    sending.TriedTooOften(10),
    corrections.ChannelRefuses(Channel.TELEGRAM, "edit", timedelta(hours=48)),
    corrections.ChannelRefuses(Channel.TELEGRAM, "delete", timedelta(hours=48)),
    customer_card.NotInvolved("mem_2"),
    customer_card.NotInvolved(None),
    customer_card.MergedAway("cus_1"),
    customer_card.TooManySalesPlans(),
    customer_card.TooManyCustomerFields(),
    customer_identities.NotMerged(),
]
# What is told in another way than the example in test_stored_events.py.
VARIANTS: list[Event[Any]] = [
    life.CaseRouted(at=AT, case=2, group_id=None, reason="undecided"),
    corrections.MessageDeleted(at=AT, case=2, message_id="msg_1", direction="incoming"),
    corrections.CorrectionFailed(
        at=AT, case=2, message_id="msg_1", correction="edit", reason="no", reason_code="no"
    ),
    life.CaseReopened(at=AT, case=2, member_id="mem_2", responsible="mem_2"),
    assignment.CaseAssigned(at=AT, case=2, member_id="mem_1", responsible="mem_2"),
    assignment.CaseDueChanged(at=AT, case=2, member_id="mem_1", due_at=None),
    assignment.MemberGone(at=AT, case=2, member_id="mem_1", returned=False, deactivation=4),
    marks.MarksChanged(at=AT, case=2, member_id="mem_1", kind="tag", added=("vip", "new")),
    marks.MarksChanged(at=AT, case=2, member_id="mem_1", kind="topic", removed=("lbl_1",)),
    *(
        marks.PrioritySet(at=AT, case=2, member_id="mem_1", priority=priority)
        for priority in PRIORITIES
    ),
    *(
        marks.MarksChanged(at=AT, case=2, member_id="mem_1", kind=kind, added=("lbl_1",))
        for kind in get_args(MarkKind)
    ),
    *(
        marks.MessageMarked(at=AT, case=2, member_id="mem_1", message_id="msg_1", emotion=emotion)
        for emotion in (None, *get_args(Emotion))
    ),
]
# What leaves no system message: it is not an action, or is nobody else's business.
# The files go with their customer, whose erasure is told; a withheld edit stands by its message.
# What did not arrive says so itself; what was measured of it is told by the case.
SILENT = {
    DeliveryChanged,
    WatermarkMoved,
    AttachmentsErased,
    EditWithheld,
    sending.SendingFailed,
    sending.AnswerTakenBack,
}
# A customer's stream has no timeline of its own.
SHOWN = [event for name, event in EXAMPLES.items() if name.startswith("conversation.")]


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    listen("")


@pytest.fixture
def directory() -> WorkspaceDirectory:
    known = WorkspaceDirectory()
    for number, name in enumerate(("Ada", "Dima", "Olena"), 1):
        member_id = f"mem_{number}"
        known.members[member_id] = MemberState(
            member_id=member_id, name=name, email=f"{name}@coffee.example", role=Role.OPERATOR
        )
    known.groups["grp_1"] = GroupState(group_id="grp_1", name="Sales")
    known.locations["loc_1"] = LocationState(
        location_id="loc_1", name="Podil", time_zone="Europe/Kyiv"
    )
    return known


def subclasses(of: type[Any]) -> Iterator[type[Any]]:
    for one in of.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_text_is_there_in_every_language() -> None:
    check_texts(TEXTS)
    check_files(TEXTS)


@pytest.mark.parametrize(
    ("called", "prefix"),
    [
        (r'TEXTS\.say\(\s*"([^"{]+)"', ""),
        (r'[^_]wrong\(\s*[^,]+,\s*"([^"{]+)"', "invalid."),
        (r'_Wrong\(\s*"([^"{]+)"', "invalid."),
    ],
)
def test_every_text_that_is_named_in_the_code_is_there(called: str, prefix: str) -> None:
    code = "".join(path.read_text() for path in sorted(TEXTS.folder.parent.rglob("*.py")))
    named = {prefix + key for key in re.findall(called, code)}
    assert len(named) > 3
    assert named - TEXTS.of("en").keys() == set(), (
        "add them to services/conversation/localization/*.po"
    )


@pytest.mark.parametrize("event", [*SHOWN, *VARIANTS], ids=name_of)
def test_every_action_leaves_a_system_message(
    event: Event[Any], directory: WorkspaceDirectory
) -> None:
    trace = trace_of(event)
    if trace is None:
        assert is_item(event) or type(event) in SILENT, (
            f"{name_of(event)} leaves no system message: add a case to trace_of "
            "(localization/system_messages.py) and its text to the *.po beside it, "
            "or name the event among SILENT here"
        )
        return
    for language in LANGUAGES:
        check_trace(trace, language, directory)


def check_trace(trace: Trace, language: Language, directory: WorkspaceDirectory) -> None:
    key = trace.text
    forms = TEXTS.of(language).get(key)
    assert forms, f"add msgid {key!r} to services/conversation/localization/{language}.po"
    used = set().union(*map(variables_of, forms))
    assert used == set(trace.variables), (
        f"{key} in {language} names {sorted(used)}, its trace has {sorted(trace.variables)}"
    )
    listen(language)
    variables, text = told(trace, Localizer(directory, "loc_1", NOW))
    assert "{" not in text
    json.dumps(variables)


def test_every_rule_has_an_example_here() -> None:
    missing = set(subclasses(RuleBroken)) - {type(one) for one in BROKEN}
    bases = {one for one in missing if one.__subclasses__()}
    assert missing <= bases, (
        f"add an example of {sorted(one.__name__ for one in missing - bases)} to BROKEN"
    )


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: type(one).__name__)
def test_every_broken_rule_is_told_in_every_language(
    broken: RuleBroken, directory: WorkspaceDirectory
) -> None:
    said = set()
    for language in LANGUAGES:
        listen(language)
        problem = problem_of(broken, directory, "loc_1", NOW)
        assert isinstance(problem, RefusalProblem)
        assert f"title.{problem.kind}" in TEXTS.of(language), (
            f"add 'title.{problem.kind}' and 'refused.{problem.kind}' to localization/{language}.po"
        )
        answer = json.loads(bytes(problem.response().body))
        assert answer["type"] == f"urn:parley:problem:{problem.kind}"
        said.add((answer["title"], answer["detail"]))
    assert len(said) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "now", "detail"),
    [
        ("en", NOW, "Dima took this case at 10:41"),
        ("ru", NOW, "Обращение уже взято: Dima, в 10:41"),
        ("uk", NOW, "Звернення вже взято: Dima, о 10:41"),
        ("en", LATER, "Dima took this case on 2 Nov 2026 at 10:41"),
        ("uk", LATER, "Звернення вже взято: Dima, 2 лист. 2026\u202fр. о 10:41"),
    ],
)
def test_a_refusal_says_who_and_when_by_the_clock_of_the_location(
    directory: WorkspaceDirectory, language: Language, now: datetime, detail: str
) -> None:
    listen(language)
    problem = problem_of(life.TakenBy("mem_2", AT), directory, "loc_1", now)
    assert problem.detail == detail


def test_what_is_no_rule_is_told_too(directory: WorkspaceDirectory) -> None:
    listen("ru")
    assert problem_of(NotThere(), directory, "", NOW).detail == "Такой беседы нет"
    assert isinstance(problem_of(TooMuch(), directory, "", NOW), TooLarge)


def test_why_the_channel_refused_is_in_our_words_where_we_have_some(
    directory: WorkspaceDirectory,
) -> None:
    def told_of(code: str) -> str:
        trace = trace_of(
            corrections.CorrectionFailed(
                at=AT, case=2, message_id="m", correction="edit", reason="Not now", reason_code=code
            )
        )
        assert trace is not None
        return told(trace, Localizer(directory, "loc_1", NOW))[1]

    listen("uk")
    assert told_of("source-not-connected").endswith(": джерело не під’єднано")
    assert told_of("telegram-400").endswith(": Not now")


def test_lists_are_told_as_lists(directory: WorkspaceDirectory) -> None:
    listen("uk")
    directory.labels["lbl_1"] = LabelState(label_id="lbl_1", kind="topic", name="Ціни")
    directory.fields["fld_1"] = FieldState(
        field_id="fld_1", applies_to="case", name="Замовлення", kind="text"
    )
    lists = Localizer(directory, "loc_1", NOW).plain(
        {
            "tags": Names(("vip", "new")),
            "topics": Labels(("lbl_1", "lbl_gone")),
            "fields": Fields(("fld_1",)),
        }
    )
    assert lists == {"tags": "vip і new", "topics": "Ціни і lbl_gone", "fields": "Замовлення"}


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 1, "Dima adds a tag: t0"),
        ("en", 2, "Dima adds 2 tags: t0 and t1"),
        ("ru", 1, "Dima добавляет 1 метку: t0"),
        ("ru", 2, "Dima добавляет 2 метки: t0 и t1"),
        ("uk", 5, "Dima додає 5 міток: t0, t1, t2, t3 і t4"),
    ],
)
def test_marks_are_counted(
    directory: WorkspaceDirectory, language: Language, count: int, text: str
) -> None:
    listen(language)
    tags = tuple(f"t{number}" for number in range(count))
    event = marks.MarksChanged(at=AT, case=2, member_id="mem_2", kind="tag", added=tags)
    trace = trace_of(event)
    assert trace is not None
    assert told(trace, Localizer(directory, "loc_1", NOW))[1] == text
