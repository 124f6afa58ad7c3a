"""Comments: a conversation under one post by one author, with public and private answers."""

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Post
from libs.events.conversation.message import MessageReceived, MessageSent
from libs.events.ids import random_id
from libs.events.outbound import OutboundRequested
from libs.runtime.mongo import Document
from services.conversation.read_models.inbox.rows import INBOX
from tests.support.conversation.explain import indexes_of
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

POST = Post(external_id="p1", permalink="https://social.example/p1", text="A new roast")
OTHER_POST = Post(external_id="p2", permalink="https://social.example/p2")


async def test_one_conversation_holds_public_and_private_answers(served: World) -> None:
    dima = await served.member("Dima")
    thread = "p1:ada"
    conversation_id = served.conversation_id(thread)
    path = f"/v1/conversations/{conversation_id}"
    # given a comment
    await served.receive(served.inbound(thread, 1, "How much is it?", post=POST))
    view = await served.seen(dima, conversation_id)
    assert view["post"] == {
        "external_id": "p1",
        "permalink": "https://social.example/p1",
        "text": "A new roast",
    }
    assert (await served.call(dima, "POST", f"{path}/take")).status == 200
    # when it is answered: as it came, then privately, then as the last one
    for body in (
        {"content": {"text": "See our page"}},
        {"content": {"text": "For you, ten"}, "visibility": "private"},
        {"content": {"text": "Anything else?"}},
        {"content": {"text": "Thanks for asking"}, "visibility": "public"},
    ):
        assert (await served.call(dima, "POST", f"{path}/messages", body)).status == 201
    # and the customer goes on in private
    private = served.inbound(thread, 2, "Ten it is")
    await served.receive(private)
    await served.seen(dima, conversation_id, lambda v: v["last_message"]["preview"] == "Ten it is")

    # then each message says which it is
    items = (await served.timeline(dima, conversation_id))["items"]
    said = [
        (i["content"]["text"], i.get("visibility", "private"))
        for i in reversed(items)
        if i["kind"] == "message"
    ]
    assert said == [
        ("How much is it?", "public"),
        ("See our page", "public"),
        ("For you, ten", "private"),
        ("Anything else?", "private"),
        ("Thanks for asking", "public"),
        ("Ten it is", "private"),
    ]
    [comment] = [i for i in items if "permalink" in i]
    assert comment["permalink"] == "https://social.example/p1#1"
    events = [e.body for e in await served.events(8)]
    told = [e.message for e in events if isinstance(e, MessageReceived | MessageSent)]
    assert [m.visibility for m in told] == [visibility for _, visibility in said]
    assert told[0].permalink == "https://social.example/p1#1"
    # and ingest is told where to put it
    requests = [e.body for e in await served.events(4, "parley.outbound")]
    asked = [r for r in requests if isinstance(r, OutboundRequested)]
    assert [r.visibility for r in asked] == ["public", "private", "private", "public"]
    assert {r.post for r in asked} == {POST}
    assert {r.comment_external for r in asked} == {"1"}


async def test_nothing_public_is_said_where_there_is_no_post(served: World) -> None:
    dima = await served.member("Dima")
    await served.receive(served.inbound("1", 1))
    conversation_id = served.conversation_id("1")
    await served.seen(dima, conversation_id)
    path = f"/v1/conversations/{conversation_id}"
    assert (await served.call(dima, "POST", f"{path}/take")).status == 200
    body = {"content": {"text": "hi"}, "visibility": "public"}
    refused = await served.call(dima, "POST", f"{path}/messages", body)
    assert refused.status == 422
    assert [one["field"] for one in refused.body["errors"]] == ["visibility"]
    body = {"content": {"text": "hi"}, "visibility": "aloud"}
    assert (await served.call(dima, "POST", f"{path}/messages", body)).status == 422
    assert (await served.call(dima, "GET", f"{path}/comments")).body["items"] == []


async def test_others_comments_are_shown_and_lead_to_their_case_where_it_may_be_seen(
    served: World,
) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    authors = [f"p1:author{n}" for n in range(5)]
    # given five who comment under one post, one under another, and one who writes privately
    for number in (1, 2):
        for author in authors:
            await served.receive(served.inbound(author, number, f"{author} {number}", post=POST))
    await served.receive(
        served.inbound(authors[1], 3, "for you only"),
        served.inbound("p2:ada", 1, "elsewhere", post=OTHER_POST),
        served.inbound("ada", 1, "directly"),
    )
    for author in (*authors, "p2:ada", "ada"):
        await served.seen(dima, served.conversation_id(author))
    first = served.conversation_id(authors[0])
    await served.seen(dima, served.conversation_id(authors[4]), lambda v: v["version"] == 3)
    await served.seen(dima, served.conversation_id(authors[1]), lambda v: v["version"] == 4)

    # when the first one's conversation is looked at
    path = f"/v1/conversations/{first}/comments"
    shown: list[dict[str, object]] = []
    cursor = ""
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await served.call(dima, "GET", path, query=query)).body
        shown += page["items"]
        cursor = page.get("next", "")
        if not cursor:
            break

    # then what the others said there is, and nothing else, each with its case
    texts = {item["content"]["text"] for item in shown}  # type: ignore[index]
    assert texts == {f"{author} {n}" for author in authors[1:] for n in (1, 2)}
    assert len(shown) == 8
    leads = {item["conversation_id"] for item in shown}
    assert leads == {served.conversation_id(author) for author in authors[1:]}
    assert all(isinstance(item["case_number"], int) for item in shown)
    assert (await served.call(stranger, "GET", path)).status == 404
    assert (await served.call(dima, "GET", path, query={"cursor": "x"})).status == 422


async def test_a_case_that_may_not_be_seen_is_not_named_but_its_comment_is_public(
    served: World,
) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    await served.receive(served.inbound("p1:ada", 1, "mine", post=POST))
    mine = served.conversation_id("p1:ada")
    await served.seen(dima, mine)
    # given another author's case, forwarded to a group that Dima is not in
    group_id = await served.autoforward(olena)
    await served.settled()
    await served.receive(served.inbound("p1:bob", 1, "theirs", post=POST))
    theirs = served.conversation_id("p1:bob")

    async def there() -> bool:
        page = await served.call(dima, "GET", f"/v1/conversations/{mine}/comments")
        return bool(page.body["items"])

    await served.events(4)
    await served.route(theirs, f"{theirs}.1", group_id)
    await served.seen(olena, theirs)
    await eventually(there)
    [comment] = (await served.call(dima, "GET", f"/v1/conversations/{mine}/comments")).body["items"]
    assert comment["content"]["text"] == "theirs"
    assert "conversation_id" not in comment
    assert "case_number" not in comment
    page = await served.call(olena, "GET", f"/v1/conversations/{mine}/comments")
    assert [c["conversation_id"] for c in page.body["items"]] == [theirs]


async def test_what_is_asked_has_its_index(world: World, database: AsyncDatabase[Document]) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        threads = [f"p1:author{n}" for n in range(20)]
        await world.receive(*(world.inbound(t, 1, post=POST) for t in threads))
        for thread in threads:
            await world.seen(dima, world.conversation_id(thread))
    asked = {"workspace": world.workspace_id, "post": f"{world.source_id}/p1", "_id": {"$ne": "x"}}
    plan = await database[INBOX].find(asked).sort("active_at", -1).limit(5).explain()
    assert indexes_of(plan["queryPlanner"]["winningPlan"]) == {"post"}
