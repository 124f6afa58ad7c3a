"""Bodies: nothing unknown is taken, and whatever is wrong is named, in the caller's language."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from fastapi import Request
from msgspec import Meta
from starlette.types import Message

from libs.events.api.requests import RequestBody
from libs.events.api.values import VALUES_AT_MOST, AnyOf, Name
from libs.events.registry import Body, Instant
from libs.runtime.bodies import BODY_LIMIT_BYTES, BodyReader, read_nothing, read_query
from libs.runtime.language import LANGUAGES, listen
from libs.runtime.problems import BadRequest, Invalid, Problem, TooLarge
from libs.runtime.texts import COMMON


class Cup(RequestBody):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    litres: Annotated[float, Meta(ge=0.1, le=2)] = 1
    kind: Literal["tea", "coffee"] = "tea"
    code: Annotated[str, Meta(min_length=2)] = "no"
    sold_at: Instant | None = None
    spoons: Annotated[tuple[int, ...], Meta(min_length=1, max_length=2)] = (1,)


class Order(RequestBody):
    cups: tuple[Cup, ...]
    notes: dict[Literal["for", "by"], str] = msgspec.field(default_factory=dict)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    listen("")


class Anything(RequestBody):
    cups: Any


READER, ANYTHING = BodyReader(Order), BodyReader(Anything)
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "cups[0].name", "is missing"),
    ({"name": ""}, "cups[0].name", "is empty"),
    ({"name": "cupcup"}, "cups[0].name", "has more than 5 characters"),
    ({"name": 5}, "cups[0].name", "Expected `str`, got `int`"),
    ({"name": "a", "lid": True}, "cups[0].lid", "unknown field"),
    ({"name": "a", "litres": 0}, "cups[0].litres", "must be at least 0.1"),
    ({"name": "a", "litres": 3}, "cups[0].litres", "must be at most 2"),
    (
        {"name": "a", "kind": "my own secret"},
        "cups[0].kind",
        "must be one of: coffee, tea",
    ),
    ({"name": "a", "code": "x"}, "cups[0].code", "has fewer than 2 characters"),
    (
        {"name": "a", "sold_at": "2026-11-22T10:00:00"},
        "cups[0].sold_at",
        "must be a time with its zone, such as 2026-11-22T10:00:00Z",
    ),
    (
        {"name": "a", "sold_at": "today"},
        "cups[0].sold_at",
        "must be a time with its zone, such as 2026-11-22T10:00:00Z",
    ),
    ({"name": "a", "spoons": []}, "cups[0].spoons", "has fewer than 1 item"),
    ({"name": "a", "spoons": [1, 2, 3]}, "cups[0].spoons", "has more than 2 items"),
    ({"name": "a", "spoons": [1, "2"]}, "cups[0].spoons[1]", "Expected `int`, got `str`"),
]


@pytest.mark.parametrize(("cup", "field", "told"), WRONG, ids=lambda one: str(one)[:40])
def test_what_is_wrong_deep_inside_is_named_in_every_language(
    cup: dict[str, Any], field: str, told: str
) -> None:
    raw = msgspec.json.encode({"cups": [cup]})
    said = set()
    for language in LANGUAGES:
        listen(language)
        with pytest.raises(Invalid) as refused:
            READER.decode(raw)
        [error] = refused.value.extra["errors"]
        assert error["field"] == field
        assert "secret" not in refused.value.detail
        said.add(error["message"])
        if language == "en":
            assert error["message"] == told
    assert len(said) == len(LANGUAGES)


def test_a_key_that_is_not_known_is_named_by_its_object() -> None:
    with pytest.raises(Invalid) as refused:
        READER.decode(b'{"cups": [], "notes": {"to": "Ada"}}')
    assert refused.value.extra["errors"][0]["field"] == "notes"


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"cups": ' + b"[" * 100_000])
def test_what_is_no_json_is_told(raw: bytes) -> None:
    listen("ru")
    with pytest.raises(BadRequest, match="тело запроса не является JSON"):
        ANYTHING.decode(raw)


def test_a_type_that_would_ignore_what_is_unknown_is_no_request() -> None:
    class Lenient(Body):
        name: str

    class Holding(RequestBody):
        things: dict[str, tuple[Lenient, ...] | None]

    for lenient in (Lenient, Holding):
        with pytest.raises(TypeError, match="Lenient would ignore unknown fields"):
            BodyReader(lenient)


def test_complaints_that_nobody_foresaw_are_told_too() -> None:
    assert COMMON.say("invalid.other", {}, "uk") == "не підходить"


class Page(Body):
    limit: int = 50
    start: str | None = msgspec.field(name="from", default=None)


def request(query: str = "", body: bytes = b"") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return Request({"type": "http", "headers": [], "query_string": query.encode()}, receive)


def test_a_query_is_read_by_its_names() -> None:
    assert read_query(request("limit=5&from=x"), Page) == Page(limit=5, start="x")


@pytest.mark.parametrize("query", ["lmit=5", "limit=5&lmit=5", "lmit", "limit=5&lmit="])
def test_an_unknown_parameter_is_named_whatever_the_type_would_ignore(query: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(request(query), Page)
    assert refused.value.extra["errors"] == [{"field": "lmit", "message": "unknown field"}]


@pytest.mark.parametrize("raw", [b"", b"{}", b" { }\n"])
async def test_nothing_may_be_said_in_two_ways(raw: bytes) -> None:
    assert await read_nothing(request(body=raw)) == b""


@pytest.mark.parametrize(
    ("raw", "error"),
    [(b'{"due": 1}', Invalid), (b"[]", Invalid), (b"null", Invalid), (b"due=1", BadRequest)],
)
async def test_what_is_put_where_nothing_is_read_is_refused(
    raw: bytes, error: type[Problem]
) -> None:
    with pytest.raises(error):
        await read_nothing(request(body=raw))
    with pytest.raises(TooLarge):
        await read_nothing(request(body=b" " * (BODY_LIMIT_BYTES + 1)))


class Asked(Body):
    tab: Literal["new", "done"] | None = None
    unread: bool | None = None
    tag: str | None = None
    limit: Annotated[int, Meta(ge=1, le=9)] = 5
    since: Instant | None = None
    cup: AnyOf[Literal["small", "large"]] | None = None
    name: AnyOf[Name] | None = None


class Needed(Body, rename={"start": "from"}):
    start: Instant


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("tab=null", "tab: must be one of: done, new"),
        ("tab=", "tab: must be one of: done, new"),
        ("tab=spam", "tab: must be one of: done, new"),
        ("unread=null", "unread: Expected `bool`, got `str`"),
        ("unread=None", "unread: Expected `bool`, got `str`"),
        ("limit=null", "limit: Expected `int`, got `str`"),
        ("limit=10", "limit: must be at most 9"),
        ("limit=" + "9" * 400, "limit:"),
        ("since=null", "since: must be a time with its zone"),
        ("since=1", "since: must be a time"),
        ("tag=a&tag=b", "tag: is given more than once"),
        ("tag=a&tag=a", "tag: is given more than once"),
        ("tag=%00", "tag: has characters that cannot be shown"),
        ("Tab=new", "Tab: unknown field"),
        ("cup=small&cup=huge", "cup: must be one of: large, small"),
        ("cup=small,large", "cup: must be one of: large, small"),
        ("cup=&cup=small", "cup: must be one of: large, small"),
        ("name=Ada&name=%E3%85%A4", "name[1]: is empty"),
        ("&".join(["cup=small"] * (VALUES_AT_MOST + 1)), "cup: has more than 30 items"),
        ("cup=small&tab=new&cup=large&tab=new", "tab: is given more than once"),
    ],
)
def test_a_query_is_what_it_says(query: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(asking(query), Asked)
    assert refused.value.detail.startswith(told)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("cup=small", Asked(cup="small")),
        ("cup=small&limit=3&cup=large", Asked(cup=("small", "large"), limit=3)),
        ("name=%20Ada%20&name=null", Asked(name=("Ada", "null"))),
    ],
)
def test_a_parameter_that_means_any_of_them_may_be_repeated(query: str, asked: Asked) -> None:
    assert read_query(asking(query), Asked) == asked


def test_null_is_a_text_as_any_other() -> None:
    assert read_query(asking("tag=null&unread=false"), Asked) == Asked(tag="null", unread=False)


def test_what_has_to_be_asked_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        read_query(asking(""), Needed)
    assert refused.value.detail == "from: is missing"


def asking(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})
