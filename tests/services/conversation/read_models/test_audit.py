"""Who did what and when, and whether anybody has changed it since."""

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.codec import commit_id
from libs.runtime.mongo import Document
from services.conversation.privacy.sealed_store import COMMITS
from tests.support.conversation.audited import audit, conversation_of_five
from tests.support.conversation.world import MANAGER, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def test_the_log_says_who_did_what_and_that_nothing_was_changed(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = await conversation_of_five(served, dima)

    log = await audit(served, dima, conversation_id)

    assert [(i["version"], i["type"], i.get("member_id")) for i in log["items"]] == [
        (5, "parley.case.closed.v1", dima),
        (4, "parley.message.sent.v1", dima),
        (3, "parley.case.taken.v1", dima),
        (2, "parley.message.received.v1", None),
        (1, "parley.case.opened.v1", None),
    ]
    assert all(item["at"] <= item["recorded_at"] for item in log["items"])
    chain = log["chain"]
    assert (chain["version"], chain["commits"], chain["verified"]) == (5, 4, True)
    assert len(bytes.fromhex(chain["head"])) == 32
    assert "Do you deliver?" not in str(log)


async def test_the_log_is_read_page_by_page(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = await conversation_of_five(served, dima)

    versions: list[int] = []
    cursor, chains = "", 0
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = await audit(served, dima, conversation_id, **query)
        versions += [item["version"] for item in page["items"]]
        chains += page.get("chain") is not None
        if not (cursor := page.get("next")):
            break

    assert versions == [5, 4, 3, 2, 1]
    assert chains == 1, "the chain is of the whole conversation"


async def test_a_conversation_of_another_workspace_has_no_log(served: World) -> None:
    dima, other = await served.member("Dima"), served.beside()
    await other.begin()
    stranger = await other.member("Eve")
    await other.settled()
    conversation_id = await conversation_of_five(served, dima)

    path = f"/v1/conversations/{conversation_id}/audit"
    answer = await other.call(stranger, "GET", path, actions=MANAGER)

    assert answer.status == 404


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"$set": {"events.0.data": b"{}"}}, ("altered", 3, 3)),
        ({"$set": {"causes": ["another"]}}, ("altered", 3, 3)),
        (None, ("removed", 3, 3)),
    ],
)
async def test_a_change_behind_the_services_back_is_told(
    world: World,
    database: AsyncDatabase[Document],
    change: Document | None,
    finding: tuple[str, int, int],
) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await conversation_of_five(world, dima)

        async def published() -> bool:
            return await database[COMMITS].count_documents({"pending": True}) == 0

        await eventually(published)
        one = {"_id": commit_id(conversation_id, 3)}
        if change is None:
            await database[COMMITS].delete_one(one)
        else:
            await database[COMMITS].update_one(one, change)

        chain = (await audit(world, dima, conversation_id))["chain"]

    assert chain["verified"] is False
    assert [(f["kind"], f["first"], f["last"]) for f in chain["findings"]] == [finding]
