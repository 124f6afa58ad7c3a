"""What is somebody else's takes the same steps as what is nobody's, and is answered alike."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import monitoring

from libs.events.directory import Role
from libs.events.ids import random_id
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import MANAGER, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


class Questions(monitoring.CommandListener):
    """What MongoDB was asked that names one id: the commands, with their collections."""

    def __init__(self) -> None:
        self._named = ""
        self._asked: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def naming(self, one: str) -> Iterator[Counter[tuple[str, str]]]:
        self._named, self._asked = one, Counter()
        yield self._asked
        self._named = ""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command: dict[str, Any] = dict(event.command)
        if self._named and self._named in repr(command):
            self._asked[event.command_name, str(command[event.command_name])] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to see."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Shown where it was asked."""


@pytest.fixture(scope="module")
def questions() -> Questions:
    """Heard of every client that is made from here on."""
    questions = Questions()
    monitoring.register(questions)
    return questions


@pytest.fixture
async def listened(world: World, questions: Questions) -> AsyncIterator[World]:
    async with serving(world):
        yield world


COMMANDS: list[tuple[str, str, object]] = [
    ("POST", "take", None),
    ("POST", "close", None),
    ("POST", "messages", {"content": {"text": "hi"}}),
    ("POST", "notes", {"text": "hi"}),
    ("POST", "tags", {"add": ["vip"]}),
    ("POST", "priority", {"priority": "high"}),
    ("PUT", "draft", {"text": "hi"}),
    ("GET", "draft", None),
    ("DELETE", "draft", None),
    ("GET", "", None),
    ("GET", "timeline", None),
    ("GET", "audit", None),
    ("GET", "comments", None),
]


async def test_an_id_of_somebody_else_costs_what_one_of_nobody_does(
    listened: World, questions: Questions
) -> None:
    # given a case that is in the service's memory, for its member acted on it just now
    dima = await listened.member("Dima")
    case = await a_new_case(listened, dima)
    assert (await listened.call(dima, "POST", f"{case}/take")).status == 200
    theirs = case.rpartition("/")[2]
    # when a stranger, and a colleague of another location, ask for it and for what is not there
    other = listened.beside()
    await other.begin()
    stranger = await other.member("Sonia")
    colleague = await listened.member("Lev", Role.OPERATOR, (random_id("loc"),))
    await other.settled()
    await listened.settled()
    for world, member_id in ((other, stranger), (listened, colleague)):
        for method, action, body in COMMANDS:
            ids = (theirs, random_id("cnv"))
            answers, asked = await answered(
                questions, world, member_id, method, f"/v1/conversations/{{}}/{action}", body, ids
            )
            # then both are answered alike, after the same questions to the database
            hidden, missing = answers
            assert hidden == missing, (method, action)
            assert hidden[0] == 404, (method, action, hidden)
            assert asked[0] == asked[1], (method, action)
            assert asked[0], (method, action)


async def answered(
    questions: Questions,
    world: World,
    member_id: str,
    method: str,
    path: str,
    body: Any,
    ids: Sequence[str],
) -> tuple[list[tuple[int, bytes]], list[Counter[tuple[str, str]]]]:
    """How the same is answered with each id in the path, and what the database was asked of it.

    Consumers of the service ask of a case that has just begun too: then it is all asked again.
    """

    async def once() -> tuple[list[tuple[int, bytes]], list[Counter[tuple[str, str]]]] | None:
        answers, asked = [], []
        for one in ids:
            with questions.naming(one) as named:
                answer = await world.call(
                    member_id, method, path.format(one).removesuffix("/"), body, actions=MANAGER
                )
            answers.append((answer.status, answer.raw))
            asked.append(named)
        return (answers, asked) if all(one == asked[0] for one in asked) else None

    return await eventually(once)


async def test_a_customer_of_somebody_else_costs_what_one_of_nobody_does(
    listened: World, questions: Questions
) -> None:
    dima = await listened.member("Dima")
    case = await a_new_case(listened, dima)
    view = await listened.seen(dima, case.rpartition("/")[2])
    theirs = view["customer"]["customer_id"]
    other = listened.beside()
    await other.begin()
    stranger = await other.member("Sonia")
    await other.settled()
    for method, action, body in (
        ("GET", "", None),
        ("GET", "cases", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "block", None),
    ):
        ids = (theirs, random_id("cus"))
        answers, asked = await answered(
            questions, other, stranger, method, f"/v1/customers/{{}}/{action}", body, ids
        )
        assert answers[0] == answers[1], (method, action)
        assert answers[0][0] == 404, (method, action, answers)
        assert asked[0] == asked[1] != Counter(), (method, action)
