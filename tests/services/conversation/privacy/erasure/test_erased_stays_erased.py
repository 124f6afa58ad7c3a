"""What was erased stays so, whatever arrives later and whenever that was made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Attachment, Content
from libs.runtime.mongo import Document
from tests.support.conversation.erasing import ADA, EVERYTHING, erase
from tests.support.conversation.steps import deleted, tell
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

SECRET = "pumpkin"


async def test_an_edit_of_what_was_erased_brings_nothing_back(
    world: World, database: AsyncDatabase[Document]
) -> None:
    hour = timedelta(hours=1)
    async with serving(world):
        dima = await world.member("Dima")
        conversation_id = world.conversation_id(ADA)
        path = f"/v1/conversations/{conversation_id}"
        await world.receive(world.inbound(ADA, 1, "first"), album(world, 7, "a"))
        await world.seen(dima, conversation_id)
        await world.call(dima, "POST", f"{path}/take")
        sent = await world.call(dima, "POST", f"{path}/messages", {"content": {"text": "Hello"}})
        message_id = sent.body["item"]["id"]
        await world.deliver(conversation_id, message_id, "sent", ("77",))
        before = datetime.now(UTC)
        await erase(world, dima)

        # Edits made before it and after, what is left of an album, what the owner edited, a
        # quotation, a deletion, delivery states; and something new, which is heard.
        version = (await world.view(dima, conversation_id)).body["version"]
        await world.receive(
            world.inbound(ADA, 1, f"{SECRET} one", kind="edit", at=before - hour, cause="e1"),
            world.inbound(ADA, 1, f"{SECRET} two", kind="edit", cause="e2"),
            album(world, 7, f"{SECRET} three", part=2),
            replace(world.inbound(ADA, 7, f"{SECRET} four", kind="edit", cause="e3"), album=True),
            world.inbound(ADA, 9, "something new", reply_to_external="77"),
        )
        await world.deliver(conversation_id, message_id, "read", ("77", "78"))
        await tell(world, deleted(world, ADA, "1"))
        view = await world.seen(dima, conversation_id, lambda v: v["version"] >= version + 6)
        assert view["last_message"]["preview"] == "something new"
        found = await shown(world, dima, conversation_id)
        assert found[world.inbound(ADA, 1).message_id]["content"].get("text", "") == ""
        assert [c["text"] for c in texts(found)] == ["something new"]
        past = await world.timeline(dima, conversation_id, as_of=datetime.now(UTC).isoformat())
        assert SECRET not in str(past)
        assert await hits(world, dima, SECRET) == 0
        await eventually(lambda: _found(world, dima, "something"))

        # Nor does a member write anything into it.
        edited = await world.call(
            dima, "PATCH", f"{path}/messages/{message_id}", {"text": SECRET}, actions=EVERYTHING
        )
        assert edited.status == 409
        again = await world.call(
            dima, "POST", f"{path}/messages/{message_id}/resend", actions=EVERYTHING
        )
        assert again.body["type"].rpartition(":")[2] == "message-erased"

        # What came since is edited as ever.
        await world.receive(world.inbound(ADA, 9, "something newer", kind="edit"))
        await world.seen(
            dima, conversation_id, lambda v: v["last_message"]["preview"] == "something newer"
        )
        events = await world.events(1)
        told = str([one.body for one in events])
        assert SECRET not in told
    for name in await database.list_collection_names():
        rows = str(await database[name].find().to_list())
        assert SECRET not in rows, (name, rows[max(0, rows.find(SECRET) - 300) :][:500])


def album(world: World, number: int, text: str, part: int = 1) -> Any:
    """One part of the album that begins with the message ``number``."""
    one = world.inbound(ADA, number + part - 1, text)
    picture = Attachment(
        attachment_id=f"att_{part}",
        kind="image",
        media_type="image/jpeg",
        reference="x",
        external_message_id=one.external_message_id,
    )
    content = Content(text=text, attachments=(picture,))
    first = world.inbound(ADA, number).message_id
    return replace(one, content=content, message_id=first, album=True)


async def shown(world: World, member_id: str, conversation_id: str) -> dict[str, Any]:
    items = (await world.timeline(member_id, conversation_id))["items"]
    return {item["id"]: item for item in items if item["kind"] == "message"}


def texts(found: dict[str, Any]) -> list[Any]:
    return [i["content"] for i in found.values() if i["content"].get("text")]


async def hits(world: World, member_id: str, word: str) -> int:
    answer = await world.call(member_id, "GET", "/v1/conversations", query={"q": word})
    return len(answer.body["items"])


async def _found(world: World, member_id: str, word: str) -> bool:
    return await hits(world, member_id, word) == 1
