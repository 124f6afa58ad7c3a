"""A directory that holds what nobody can read is its workspace's own trouble."""

from typing import Any

import pytest

from libs.runtime.mongo import mongo_client
from tests.support.eventually import eventually
from tests.support.routing.service import Routing

pytestmark = pytest.mark.servers


async def test_one_poisonous_directory_stops_no_other_and_no_process(
    routing: Routing, mongodb_url: str, mongodb_name: str
) -> None:
    async with routing.running() as bad:
        await bad.open_workspace()
    async with mongo_client(mongodb_url, "tests") as mongo:
        commits = mongo[mongodb_name]["routing_commits"]
        last = await commits.find_one({"stream": bad.workspace_id}, sort=[("_id", -1)])
        assert last is not None
        first = last["last"] + 1
        planted: dict[str, Any] = last | {
            "_id": f"{bad.workspace_id}:{first:010d}",
            "first": first,
            "last": first,
            "causes": ["planted"],
            "events": [{"type": "routing.no-such-thing.v1", "data": b"\xff"}],
            "public": [{"topic": "parley.directory"}],
            "pending": True,
        }
        await commits.insert_one(planted)

        # when another process begins, which tells every workspace of its permissions
        async with routing.running() as client:
            refused = await client.call(
                "POST",
                "/v1/groups",
                {"name": "Sales"},
                workspace_id=bad.workspace_id,
                member_id=bad.member_id,
            )
            assert (refused.status, refused.body["type"]) == (503, "urn:parley:problem:set-aside")
            await client.open_workspace()
            await client.done("POST", "/v1/groups", {"name": "Sales"})

            # then it tells of it, and goes on
            async def told() -> bool:
                ready = await client.call("GET", "/readyz")
                assert ready.status == 200, ready.text
                return bad.workspace_id in ready.body.get("set_aside", {}).get("streams", {})

            await eventually(told)
            await client.done("POST", "/v1/groups", {"name": "Support"})
