"""`make up` as a newcomer has it: what they set is honoured, and what they had is there again."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from libs.devstack.folders import cache_folder
from parley.client import ApiClient
from parley.doubles.bot_api import BotApiDouble

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

PUBLIC = "https://chats.example"
READY_WITHIN_S = 400.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Without Docker, without MongoDB, and with no server that `make native` has built."""
    folder = tmp_path / "devstack"
    folder.mkdir()
    (folder / "cache").symlink_to(cache_folder())  # nothing is downloaded again
    ours = {n: v for n, v in os.environ.items() if not n.startswith("PARLEY_")}
    return ours | {
        "PATH": "/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "programs"),
        "PARLEY_DEVSTACK_FOLDER": str(folder),
    }


@asynccontextmanager
async def up(environment: dict[str, str]) -> AsyncIterator[str]:
    """All that it says until it is ready; a polite kill ends it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley", "up"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while "Ctrl-C stops it all" not in said:
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
        yield said
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


def told(said: str, what: str) -> str:
    found = re.search(rf"^{what} +(\S+)", said, re.MULTILINE)
    assert found, said
    return found[1]


async def test_what_is_set_is_honoured_and_what_was_there_is_there_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    async with BotApiDouble() as telegram:
        environment |= {
            "PARLEY_INGEST_PUBLIC_URL": PUBLIC,
            "PARLEY_INGEST_TELEGRAM_API_URL": telegram.url,
        }
        bot = telegram.add_bot("1234567890:" + "a" * 35)
        async with up(environment) as said:
            email, password = told(said, "owner"), told(said, "password")
            async with ApiClient(told(said, "API").removesuffix("/v1")) as owner:
                await owner.sign_in(email, password)
                source = await connected(owner, bot.token)
        assert bot.webhook["url"].startswith(f"{PUBLIC}/hooks/telegram/")

        # As after `make native`, with one that would not even start
        programs = tmp_path / "programs" / "parley" / "bin"
        programs.mkdir(parents=True)
        (programs / "secantusd-rs").write_text("#!/bin/sh\nexit 1\n")
        (programs / "secantusd-rs").chmod(0o755)
        async with up(environment) as said:
            assert "secantusd-rs is faster" in said
            assert "the workspace is there already" in said
            async with ApiClient(told(said, "API").removesuffix("/v1")) as owner:
                await owner.sign_in(email, password)
                there = (await owner.get("/v1/sources"))["items"]

    assert [one["source_id"] for one in there] == [source["source_id"]]
    keys = Path(environment["PARLEY_DEVSTACK_FOLDER"]) / "main" / "keys.json"
    keys.write_text(json.dumps(dict.fromkeys(json.loads(keys.read_text()), "ab" * 32)))
    with pytest.raises(AssertionError, match="the keys here are not those the data were sealed"):
        async with up(environment):
            pass


async def connected(owner: ApiClient, bot_token: str) -> Any:
    location = (await owner.get("/v1/locations"))["items"][0]["location_id"]
    return await owner.post(
        "/v1/sources",
        channel="telegram",
        name="Bot",
        location_id=location,
        credentials={"bot_token": bot_token},
    )


async def test_what_is_not_a_setting_is_refused(environment: dict[str, str]) -> None:
    environment["PARLEY_INGEST_PUBLIC_ULR"] = PUBLIC
    with pytest.raises(AssertionError, match="PARLEY_INGEST_PUBLIC_ULR is not a setting of Parley"):
        async with up(environment):
            pass
