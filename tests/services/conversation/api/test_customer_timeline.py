"""What the widget shows its visitor: messages of both sides, and nothing of the team's own."""

from typing import Any

import msgspec
import pytest

from libs.events.ids import random_id
from libs.runtime.http import ServiceClient
from tests.support.conversation.world import World
from tests.support.trust import tokens_of

pytestmark = pytest.mark.servers


async def test_a_customer_reads_on_from_any_position(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    await served.receive(*(served.inbound("1", n) for n in range(1, 6)))
    await served.seen(dima, conversation_id, lambda v: v["version"] == 6)
    path = f"/v1/conversations/{conversation_id}"
    await served.call(dima, "POST", f"{path}/take")
    await served.call(dima, "POST", f"{path}/notes", {"text": "VIP"})
    await served.call(dima, "POST", f"{path}/messages", {"content": {"text": "hi"}})

    assert served.client is not None
    url = served.client._base_url
    tokens = tokens_of("ingest")
    async with ServiceClient("conversation", url, tokens) as ingest:

        async def page(after: int, limit: int = 50, workspace_id: str = "") -> tuple[int, Any]:
            status, body, _ = await ingest.call(
                "GET",
                f"/internal/v1/customer-timeline/{conversation_id}",
                workspace_id=workspace_id or served.workspace_id,
                query={"after": str(after), "limit": str(limit)},
            )
            return status, msgspec.json.decode(body)

        status, everything = await page(0)
        assert status == 200
        shown = [item["content"]["text"] for item in everything["items"]]
        assert shown == [*(f"message {n}" for n in range(1, 6)), "hi"]
        assert {name for item in everything["items"] for name in item} == {
            "message_id",
            "direction",
            "content",
            "occurred_at",
            "position",
        }
        # from each position, also one within a commit, exactly what comes after it
        for number, item in enumerate(everything["items"], 1):
            _, rest = await page(item["position"])
            assert rest["items"] == everything["items"][number:]
        _, first = await page(0, limit=2)
        assert (len(first["items"]), first["more"]) == (2, True)
        status, _ = await page(0, workspace_id=random_id("wsp"))
        assert status == 404
