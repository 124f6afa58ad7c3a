"""Customers: the card with the first case, who sees and edits it, merge and split, their cases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.events.directory import FieldState, Role
from libs.events.ids import random_id
from tests.support.conversation.steps import a_case, customer_of, deleted, done, tell
from tests.support.conversation.world import MANAGER, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def test_the_card_is_there_with_the_first_case(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1", taken=False)

    card = await done(await served.call(dima, "GET", path))

    assert card["name"] == "Customer 1"
    assert (card["version"], card["funnel_status"]) == (0, "reached_out")
    [identity] = card["identities"]
    assert identity["conversation_ids"] == [served.conversation_id("1")]
    assert (identity["channel"], identity["subscription"]) == ("telegram", "subscribed")


async def test_a_card_is_edited_by_those_who_answer_the_customer_and_by_managers(
    served: World,
) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    owner = await served.member("Owner", Role.OWNER)
    path = await a_case(served, dima, "1")
    body = {"name": "Ada", "email": "ada@coffee.example", "tags": ["VIP", " vip"], "note": " "}

    refused = await served.call(olena, "PATCH", path, body)
    assert (refused.status, refused.body["type"]) == (409, "urn:parley:problem:customer-of-others")
    assert (refused.body["member_id"], refused.body["detail"]) == (
        dima,
        "Dima answers this customer",
    )

    edited = await done(await served.call(dima, "PATCH", path, body))
    assert edited["card"] == {"name": "Ada", "email": "ada@coffee.example", "tags": ["vip"]}
    assert (edited["name"], edited["version"], edited["may_edit"]) == ("Ada", 1, True)
    cleared = await served.call(owner, "PATCH", path, {"email": None}, actions=MANAGER)
    assert (await done(cleared))["card"] == {"name": "Ada", "tags": ["vip"]}

    [first, second] = await served.events(2, "parley.customer")
    assert (first.sequence, first.body.changed) == (1, ("email", "name", "tags"))  # type: ignore[attr-defined]
    assert (second.sequence, second.subject) == (2, customer_of(served, "1"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"phone": "call me"}, "phone"),
        ({"name": "x" * 201}, "name"),
        ({"sex": "yes"}, "sex"),
        ({"tags": ["x" * 51]}, "tags.0"),
        ({"fields": {"fld_unknown": 1}}, "fields.fld_unknown"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_value_is_refused_by_naming_the_field(
    served: World, body: object, field: str
) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    answer = await served.call(dima, "PATCH", path, body)
    assert answer.status == 422, answer
    assert [one["field"] for one in answer.body["errors"]] == [field]


async def test_custom_fields_are_those_that_the_workspace_defined(served: World) -> None:
    dima = await served.member("Dima")
    field_id = random_id("fld")
    await served.directory(
        FieldState(field_id=field_id, applies_to="customer", kind="number", name="Orders")
    )
    path = await a_case(served, dima, "1")
    card = (await done(await served.call(dima, "PATCH", path, {"fields": {field_id: 3}})))["card"]
    assert card["fields"] == {field_id: 3}
    wrong = await served.call(dima, "PATCH", path, {"fields": {field_id: "three"}})
    assert wrong.status == 422
    gone = await done(await served.call(dima, "PATCH", path, {"fields": {field_id: None}}))
    assert "fields" not in gone["card"]


async def test_funnel_plans_and_acquisition_are_kept(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")

    async def post(action: str, body: object) -> Any:
        return await done(await served.call(dima, "POST", f"{path}/{action}", body))

    assert (await post("funnel", {"status": "desire"}))["funnel_status"] == "desire"
    assert (await post("sales-plans", {"add": ["autumn", "winter"]}))["sales_plans"] == [
        "autumn",
        "winter",
    ]
    assert (await post("sales-plans", {"remove": ["autumn"]}))["sales_plans"] == ["winter"]
    visit = {"tool": "button", "google_id": "GA1", "link": "https://x.example/?utm_source=insta"}
    known = await post("acquisition", {**visit, "utm": {"source": "insta"}})
    assert (known["tools"], known["google_ids"]) == (["button"], ["GA1"])
    assert known["visits"][0]["utm"] == {"source": "insta"}
    empty = await served.call(dima, "POST", f"{path}/acquisition", {})
    assert (empty.status, [one["field"] for one in empty.body["errors"]]) == (422, ["tool"])


async def test_who_sees_no_conversation_of_a_customer_does_not_see_them(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    path = await a_case(served, dima, "1")
    for method, action in (
        ("GET", ""),
        ("GET", "/cases"),
        ("GET", "/photo-places"),
        ("POST", "/block"),
    ):
        assert (await served.call(stranger, method, f"{path}{action}")).status == 404
    page = await served.call(stranger, "GET", "/v1/customers")
    assert page.body["items"] == []

    other = served.beside()
    outsider = await other.member("Outsider", Role.OWNER)
    await other.settled()
    assert (await other.call(outsider, "GET", path)).status == 404


async def test_two_identities_are_merged_and_split_again(served: World) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    first, second = customer_of(served, "1"), customer_of(served, "2")
    await done(await served.call(dima, "PATCH", one, {"name": "Ada"}))
    await done(await served.call(dima, "PATCH", other, {"name": "Ada too", "phone": "+3805011"}))

    merged = await done(
        await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}, key="merge")
    )
    assert (merged["customer_id"], merged["name"]) == (first, "Ada")
    assert [i["customer_id"] for i in merged["identities"]] == [first, second]
    assert merged["identities"][1]["merged_into"] == first
    # Whoever of them is asked for, it is the same person.
    assert await done(await served.call(dima, "GET", other)) == merged
    edited = await done(await served.call(dima, "PATCH", other, {"city": "Kyiv"}))
    assert (edited["customer_id"], edited["card"]["city"]) == (first, "Kyiv")
    again = await served.call(dima, "POST", f"{other}/merge", {"customer_id": first})
    assert (await done(again))["customer_id"] == first

    primary = await served.call(dima, "POST", f"{one}/split", {"customer_id": first})
    assert (primary.status, primary.body["type"]) == (
        409,
        "urn:parley:problem:customer-not-merged",
    )
    left = await done(await served.call(dima, "POST", f"{one}/split", {"customer_id": second}))
    assert [i["customer_id"] for i in left["identities"]] == [first]
    back = await done(await served.call(dima, "GET", other))
    assert (back["customer_id"], back["card"]) == (
        second,
        {"name": "Ada too", "phone": "+3805011"},
    )
    stranger = await served.call(dima, "POST", f"{one}/split", {"customer_id": "cus_nobody"})
    assert stranger.status == 422
    unknown = await served.call(dima, "POST", f"{one}/merge", {"customer_id": "cus_nobody"})
    assert unknown.status == 422


async def test_conversations_show_the_card_of_the_person(served: World) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    first, second = customer_of(served, "1"), customer_of(served, "2")
    conversation_id = served.conversation_id("2")

    async def shown(customer: dict[str, str]) -> None:
        await served.seen(dima, conversation_id, lambda view: view["customer"] == customer)

    await done(await served.call(dima, "PATCH", one, {"name": "Ada"}))
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
    await shown({"customer_id": first, "name": "Ada"})
    await done(await served.call(dima, "PATCH", other, {"name": "Ada Lovelace"}))
    await shown({"customer_id": first, "name": "Ada Lovelace"})
    await done(await served.call(dima, "POST", f"{one}/split", {"customer_id": second}))
    await shown({"customer_id": second, "name": "Customer 2"})

    # The card is shown as soon as it is known; what happened is told by the conversation itself.
    async def all_told() -> bool:
        items = (await served.timeline(dima, conversation_id))["items"]
        told = [i["text"] for i in items if i["kind"] == "system" and "customer" in i["key"]]
        return told == [
            "Dima splits the customer from another",
            "Dima changes the customer’s name",
            "Dima merges the customer with another",
        ]

    await eventually(all_told)


async def test_a_conversation_is_found_by_what_the_card_says(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    await a_case(served, dima, "2")
    body = {"phone": "+380 50 111 22 33", "email": "ada@coffee.example", "note": "любит раф"}
    await done(await served.call(dima, "PATCH", path, body))

    async def found(words: str) -> list[str]:
        query = {"q": words}
        page = await done(await served.call(dima, "GET", "/v1/conversations", query=query))
        return [one["conversation_id"] for one in page["items"]]

    for words in ("+380501112233", "ada@coffee.example", "раф"):

        async def only_this(words: str = words) -> bool:
            return await found(words) == [served.conversation_id("1")]

        await eventually(only_this)


async def test_lists_are_asked_by_what_the_card_says(served: World) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    card = {"phone": "+380501112233", "tags": ["vip"]}
    await done(await served.call(dima, "PATCH", one, card))
    await done(await served.call(dima, "POST", f"{one}/funnel", {"status": "customer"}))
    await done(await served.call(dima, "POST", f"{one}/sales-plans", {"add": ["autumn"]}))
    await done(await served.call(dima, "PATCH", other, {"email": "eve@x.example"}))
    first, second = served.conversation_id("1"), served.conversation_id("2")

    for query, expected in (
        ({"sales_plan": "autumn"}, first),
        ({"has_email": "true"}, second),
        ({"has_email": "false"}, first),
        ({"has_phone": "true"}, first),
        ({"has_phone": "false"}, second),
        ({"customer_tag": "Vip", "tab": "mine"}, first),
        ({"funnel": "customer"}, first),
        ({"funnel": "reached_out"}, second),
    ):

        async def only_this(query: dict[str, str] = query, expected: str = expected) -> bool:
            asked = {"tab": "all", **query}
            page = await done(await served.call(dima, "GET", "/v1/conversations", query=asked))
            return [row["conversation_id"] for row in page["items"]] == [expected]

        await eventually(only_this)


async def test_a_subscription_is_the_identitys_own_and_leaves_a_trace(served: World) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))

    known = await done(await served.call(dima, "POST", f"{other}/unsubscribe"))
    assert [i["subscription"] for i in known["identities"]] == ["subscribed", "unsubscribed"]
    again = await done(await served.call(dima, "POST", f"{other}/subscribe"))
    assert again["identities"][1]["subscription"] == "resubscribed"

    conversation_id = served.conversation_id("2")
    await served.seen(dima, conversation_id, lambda view: view["version"] >= 6)
    items = (await served.timeline(dima, conversation_id))["items"]
    shown = [(i["key"], i["member_id"]) for i in items if i["kind"] == "activity"]
    assert shown == [("resubscribed", dima), ("unsubscribed", dima)]


async def test_the_cases_of_a_customer_with_the_first_message_of_each(served: World) -> None:
    dima = await served.member("Dima")
    one, _ = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
    conversation_id = served.conversation_id("1")
    await done(await served.call(dima, "POST", f"/v1/conversations/{conversation_id}/close"))
    await served.receive(served.inbound("1", 2, "again"), served.inbound("1", 3, "and again"))
    await served.seen(dima, conversation_id, lambda v: v["case"]["state"] == "new")

    cases = (await done(await served.call(dima, "GET", f"{one}/cases")))["items"]
    told = {(c["case_id"], c["state"], c["first_message"]["preview"]) for c in cases}
    assert told == {
        (f"{conversation_id}.1", "done", "message 1"),
        (f"{conversation_id}.2", "new", "again"),
        (f"{served.conversation_id('2')}.1", "active", "message 1"),
    }
    assert len({c["short_number"] for c in cases}) == 3

    paged: list[str] = []
    query: dict[str, str] = {"limit": "1"}
    while True:
        page = await done(await served.call(dima, "GET", f"{one}/cases", query=query))
        paged += [c["case_id"] for c in page["items"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert paged == [c["case_id"] for c in cases]


async def test_a_case_shows_its_first_message_as_it_is_now(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    other = await a_case(served, dima, "2")
    await served.receive(served.inbound("1", 1, "wallaby", kind="edit"))
    await tell(served, deleted(served, "2", "1"))
    for thread in ("1", "2"):
        await served.seen(dima, served.conversation_id(thread), lambda v: v["version"] == 4)

    async def first(customer: str) -> Any:
        [case] = (await done(await served.call(dima, "GET", f"{customer}/cases")))["items"]
        return case["first_message"]

    assert (await first(path))["preview"] == "wallaby"
    assert "preview" not in await first(other)


async def test_the_page_of_customers_shows_each_once_where_they_were_last_active(
    served: World,
) -> None:
    dima = await served.member("Dima")
    paths = [await a_case(served, dima, str(n)) for n in range(5)]
    ids = [customer_of(served, str(n)) for n in range(5)]
    await done(await served.call(dima, "POST", f"{paths[0]}/merge", {"customer_id": ids[4]}))

    paged: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = await done(await served.call(dima, "GET", "/v1/customers", query=query))
        assert len(page["items"]) <= 2
        paged += [one["customer_id"] for one in page["items"]]
        if "next" not in page:
            break
        query["cursor"] = page["next"]
    assert paged == [ids[0], ids[3], ids[2], ids[1]]


async def test_one_key_is_one_change_and_one_answer(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    body = {"tool": "button"}
    first = await served.call(dima, "POST", f"{path}/acquisition", body, key="one")
    assert await served.call(dima, "POST", f"{path}/acquisition", body, key="one") == first
    assert len((await done(await served.call(dima, "GET", path)))["visits"]) == 1


async def test_an_activity_stands_between_the_messages(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    conversation = f"/v1/conversations/{served.conversation_id('1')}"
    body = {"activity": "payment_failed", "variables": {"offer": "Course", "sum": 10.5}}
    sent = await served.call(dima, "POST", f"{conversation}/activities", body, key="pay")
    assert await served.call(dima, "POST", f"{conversation}/activities", body, key="pay") == sent
    item = (await done(sent, 201))["item"]
    assert (item["kind"], item["key"], item["variables"]) == (
        "activity",
        "payment_failed",
        body["variables"],
    )
    await done(await served.call(dima, "POST", f"{path}/activities", {"activity": "ordered"}), 201)
    items = (await served.timeline(dima, served.conversation_id("1")))["items"]
    assert [i["key"] for i in items if i["kind"] == "activity"] == ["ordered", "payment_failed"]
    unknown = await served.call(dima, "POST", f"{conversation}/activities", {"activity": "danced"})
    assert unknown.status == 422


async def test_an_activity_keeps_its_time_and_is_never_in_the_future(served: World) -> None:
    dima = await served.member("Dima")
    await a_case(served, dima, "1")
    path = f"/v1/conversations/{served.conversation_id('1')}/activities"
    # Long before the customer wrote for the first time: the shop knows them for years.
    body = {"activity": "ordered", "occurred_at": "2019-03-01T12:00:00Z"}
    item = (await done(await served.call(dima, "POST", path, body), 201))["item"]
    assert item["at"] == "2019-03-01T12:00:00Z"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for occurred_at in ("2119-03-01T12:00:00Z", soon):
        refused = await served.call(
            dima, "POST", path, {"activity": "ordered", "occurred_at": occurred_at}
        )
        assert refused.status == 422
        assert "future" in refused.raw.decode()
