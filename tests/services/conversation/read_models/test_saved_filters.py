"""Saved filters: each member's own, checked when they are saved."""

import pytest

from libs.runtime.language import LANGUAGES
from services.conversation.read_models import saved_filters
from tests.support.conversation.world import MANAGER, World

pytestmark = pytest.mark.servers

PATH = "/v1/saved-filters"
VIP = {"name": "VIP waiting", "filter": {"tab": "new", "tag": "vip", "answered": False}}


async def test_a_member_keeps_changes_and_forgets_filters_of_their_own(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    saved = await served.call(dima, "POST", PATH, VIP, key="save")
    assert saved.status == 201
    assert saved.body["filter"] == VIP["filter"]
    again = await served.call(dima, "POST", PATH, VIP, key="save")
    assert again.body == saved.body
    late = {"name": "A late one", "filter": {"q": "возврат", "active_from": "2026-11-01T00:00:00Z"}}
    await served.call(dima, "POST", PATH, late)
    listed = (await served.call(dima, "GET", PATH)).body["items"]
    assert [one["name"] for one in listed] == ["A late one", "VIP waiting"]
    assert (await served.call(olena, "GET", PATH)).body == {"items": []}

    own = f"{PATH}/{saved.body['filter_id']}"
    changed = {"name": "VIP", "filter": {"tag": "vip", "sort": "waiting"}}
    assert (await served.call(olena, "PUT", own, changed)).status == 404
    assert (await served.call(dima, "PUT", own, changed)).body["name"] == "VIP"
    assert (await served.call(olena, "DELETE", own)).status == 204
    assert len((await served.call(dima, "GET", PATH)).body["items"]) == 2
    assert (await served.call(dima, "DELETE", own)).status == 204
    assert (await served.call(dima, "DELETE", own)).status == 204
    assert len((await served.call(dima, "GET", PATH)).body["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "filter": {}}, "name"),
        ({"name": "x", "filter": {"tga": "vip"}}, "filter.tga"),
        ({"name": "x", "filter": {"tab": "spam"}}, "filter.tab"),
        ({"name": "x", "filter": {"channel": ["telegram", "smoke"]}}, "filter.channel[1]"),
        ({"name": "x", "filter": {"tag": []}}, "filter.tag"),
        ({"name": "x", "filter": {"tab": ["new"]}}, "filter.tab"),
        ({"name": "x"}, "filter"),
    ],
)
async def test_what_no_list_would_take_is_not_kept(
    served: World, body: dict[str, object], field: str
) -> None:
    dima = await served.member("Dima")
    answer = await served.call(dima, "POST", PATH, body)
    assert answer.status == 422
    assert answer.body["errors"][0]["field"] == field


async def test_of_several_values_any_will_do(served: World) -> None:
    dima = await served.member("Dima")
    wanted = {"tag": ["vip", "late"], "channel": ["telegram"], "status": "lbl_1"}
    saved = await served.call(dima, "POST", PATH, {"name": "Some", "filter": wanted})
    assert saved.body["filter"] == wanted
    assert (await served.call(dima, "GET", PATH)).body["items"][0]["filter"] == wanted


async def test_who_saves_more_than_fit_is_told_so(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_filters, "_AT_MOST", 1)
    dima = await served.member("Dima")
    assert (await served.call(dima, "POST", PATH, VIP)).status == 201
    said = set()
    for language in LANGUAGES:
        refused = await served.call(dima, "POST", PATH, VIP, language=language)
        assert refused.status == 409
        assert refused.body["type"] == "urn:parley:problem:too-many-saved-filters"
        said.add((refused.body["title"], refused.body["detail"]))
    assert len(said) == len(LANGUAGES)


async def test_words_that_name_a_forgotten_customer_go_with_them(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    await served.receive(served.inbound("Zinaida Kovalenko", 1))
    conversation_id = served.conversation_id("Zinaida Kovalenko")
    view = await served.seen(dima, conversation_id)
    kept = {"name": "Samovars", "filter": {"q": "самовар zi", "unread": True}}
    for number, (member, wanted) in enumerate(
        (
            (dima, {"name": "Kovalenko", "filter": {"q": "kovalenko", "tab": "new"}}),
            (dima, {"name": "Refunds of the week", "filter": {"q": "refunds"}}),
            (olena, {"name": "Начало", "filter": {"q": "zinai"}}),
            (olena, kept),
        )
    ):
        saved = await served.call(member, "POST", PATH, wanted, key=f"save-{number}")
        assert saved.status == 201

    customer_id = view["customer"]["customer_id"]
    erased = await served.call(dima, "POST", f"/v1/customers/{customer_id}/erase", actions=MANAGER)
    assert erased.status == 200

    async def of(member_id: str, language: str) -> list[tuple[str, object, bool]]:
        items = (await served.call(member_id, "GET", PATH, language=language)).body["items"]
        return [(one["name"], one["filter"], "forgotten_at" in one) for one in items]

    assert await of(dima, "en") == [
        ("A filter that named a forgotten customer", {"tab": "new"}, True),
        ("Refunds of the week", {"q": "refunds"}, False),
    ]
    assert await of(olena, "uk") == [
        ("Samovars", kept["filter"], False),
        ("Начало", {}, True),
    ]
    # The answer that a repeated request gets again does not tell it either.
    body = {"name": "Начало", "filter": {"q": "zinai"}}
    again = await served.call(olena, "POST", PATH, body, key="save-2")
    assert (again.status, again.body["filter"]) == (201, {})

    # Whoever gives it other words has told what they are after.
    path = f"{PATH}/{again.body['filter_id']}"
    body = {"name": "Начало", "filter": {"q": "delivery"}}
    assert "forgotten_at" not in (await served.call(olena, "PUT", path, body)).body
