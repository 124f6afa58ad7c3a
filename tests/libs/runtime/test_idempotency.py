"""First answers are given again, and strict bodies name the field that is wrong."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from pymongo import AsyncMongoClient
from starlette.requests import Request
from starlette.responses import Response

from libs.events.api.requests import RequestBody
from libs.runtime.bodies import BodyReader
from libs.runtime.idempotency import Answers
from libs.runtime.mongo import Document
from libs.runtime.problems import BadRequest, Conflict, Invalid, TooLarge, Unavailable
from libs.runtime.tokens import Caller
from tests.support.between import Between

CALLER = Caller("gateway", "wsp_1", "mbr_1")


def request(key: str | None = None, path: str = "/v1/groups", body: bytes = b"") -> Request:
    headers = [] if key is None else [(b"idempotency-key", key.encode("latin-1"))]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": headers,
        "query_string": b"",
    }
    return Request(scope, receive)


class Work:
    """Counts how often it is done; fails as it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.causes: list[str] = []
        self._errors = list(errors)

    async def __call__(self, cause: str) -> Response:
        self.causes.append(cause)
        if self._errors:
            raise self._errors.pop(0)
        return Response(b'{"n":%d}' % len(self.causes), 201, {"parley-directory-offset": "7"})


@pytest.fixture
async def answers(mongodb_url: str, mongodb_name: str) -> AsyncIterator[Answers]:
    async with AsyncMongoClient[Document](mongodb_url) as client:
        answers = Answers(client[mongodb_name]["answers"])
        await answers.ensure_indexes()
        yield answers


@pytest.fixture
async def between(mongodb_url: str) -> AsyncIterator[Between]:
    between = Between(urlsplit(mongodb_url).netloc)
    await between.open()
    yield between
    await between.close()


pytestmark = pytest.mark.servers


def shown(response: Response) -> tuple[int, bytes, str | None]:
    return (
        response.status_code,
        bytes(response.body),
        response.headers.get("parley-directory-offset"),
    )


async def test_the_first_answer_again(answers: Answers) -> None:
    work = Work()

    first = await answers.once(request("k"), CALLER, b"{}", work)
    again = await answers.once(request("k"), CALLER, b"{}", work)

    assert shown(first) == shown(again) == (201, b'{"n":1}', "7")
    assert len(work.causes) == 1


async def test_a_refusal_is_an_answer_too(answers: Answers) -> None:
    work = Work(Conflict("taken", winner="mbr_2"))

    first = await answers.once(request("k"), CALLER, b"{}", work)
    again = await answers.once(request("k"), CALLER, b"{}", work)

    assert first.status_code == 409
    assert shown(first) == shown(again)
    assert len(work.causes) == 1


async def test_a_failure_may_be_tried_again_for_the_same_cause(answers: Answers) -> None:
    work = Work(Unavailable("later"), ZeroDivisionError())

    failed = await answers.once(request("k"), CALLER, b"{}", work)
    with pytest.raises(ZeroDivisionError):
        await answers.once(request("k"), CALLER, b"{}", work)
    done = await answers.once(request("k"), CALLER, b"{}", work)

    assert (failed.status_code, done.status_code) == (503, 201)
    assert len(set(work.causes)) == 1


async def test_an_answer_that_was_not_kept_is_not_given(
    between: Between, mongodb_name: str
) -> None:
    url = f"mongodb://{between.address}/?directConnection=true&serverSelectionTimeoutMS=2000"
    async with AsyncMongoClient[Document](url) as client:
        answers = Answers(client[mongodb_name]["answers"])
        work = Work()

        async def cut_off(cause: str) -> Response:
            await between.close()
            return await work(cause)

        with pytest.raises(Unavailable):
            await answers.once(request("k"), CALLER, b"{}", cut_off)
        await between.open()
        repeated = await answers.once(request("k"), CALLER, b"{}", work)
        again = await answers.once(request("k"), CALLER, b"{}", work)

        assert shown(repeated) == shown(again) == (201, b'{"n":2}', "7")
        assert len(set(work.causes)) == 1


async def test_keys_of_others_are_others(answers: Answers) -> None:
    work = Work()
    callers = [CALLER, Caller("gateway", "wsp_1", "mbr_2"), Caller("gateway", "wsp_2", "mbr_1")]

    for caller in callers:
        await answers.once(request("k"), caller, b"{}", work)
    for _ in "ab":
        await answers.once(request(), CALLER, b"{}", work)

    assert len(set(work.causes)) == 5


@pytest.mark.parametrize(("path", "raw"), [("/v1/groups", b"{ }"), ("/v1/members", b"{}")])
async def test_a_key_belongs_to_one_request(answers: Answers, path: str, raw: bytes) -> None:
    await answers.once(request("k"), CALLER, b"{}", Work())

    with pytest.raises(Invalid):
        await answers.once(request("k", path), CALLER, raw, Work())


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none(answers: Answers, key: str) -> None:
    with pytest.raises(Invalid) as error:
        await answers.once(request(key), CALLER, b"{}", Work())

    assert error.value.extra["errors"][0]["field"] == "idempotency-key"


class Child(RequestBody):
    number: int


class Parent(RequestBody):
    name: str
    child: Child | None = None
    children: tuple[Child, ...] = ()


READER = BodyReader(Parent, limit_bytes=1000)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"name":1}', "name"),
        (b"{}", "name"),
        (b'{"name":"a","nmae":"b"}', "nmae"),
        (b'{"name":"a","child":{}}', "child.number"),
        (b'{"name":"a","child":{"number":1,"x":2}}', "child.x"),
        (b'{"name":"a","children":[{"number":"x"}]}', "children[0].number"),
        (b"[]", ""),
    ],
)
async def test_the_field_that_is_wrong_is_named(raw: bytes, field: str) -> None:
    with pytest.raises(Invalid) as error:
        await READER.read(request(body=raw))

    assert [one["field"] for one in error.value.extra["errors"]] == [field]


NOT_JSON = (b"", b"{", b"\xff", b'{"name":"\xff"}', b'{"name":' + b"[" * 900)


@pytest.mark.parametrize("raw", NOT_JSON, ids=range(len(NOT_JSON)))
async def test_what_is_not_json_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises((BadRequest, Invalid)):
        await READER.read(request(body=raw))


async def test_a_body_over_the_limit_is_not_read() -> None:
    with pytest.raises(TooLarge):
        await READER.read(request(body=b" " * 1001))


async def test_what_is_right_is_read() -> None:
    raw = b'{"name":"a","children":[{"number":7}]}'

    assert await READER.read(request(body=raw)) == (
        Parent(name="a", children=(Child(number=7),)),
        raw,
    )
