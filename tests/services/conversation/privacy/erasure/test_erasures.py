"""Erasures under way, on which two may work at once: a command, and who finishes what was begun."""

import asyncio
from datetime import UTC, datetime

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from services.conversation.privacy.erasure.erasures import Erasure, Erasures
from services.conversation.privacy.keyring import Keyring
from tests.support.conversation.world import DEPLOYMENT_KEY

pytestmark = pytest.mark.servers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def begun(database: AsyncDatabase[Document]) -> tuple[Erasures, Erasure]:
    keyring = Keyring(database, DEPLOYMENT_KEY, 10)
    await keyring.begin_generation("cus_1", "wsp_1", 1)
    erasures = Erasures(database, keyring)
    (begun,) = await erasures.begun([Erasure("cus_1", "wsp_1", "mem_1", 1, NOW)])
    return erasures, begun


async def test_what_one_found_is_known_to_the_other(database: AsyncDatabase[Document]) -> None:
    erasures, one = await begun(database)
    (other,) = await erasures.at({"stage": "begun"})

    await erasures.erased_in(one, "cnv_1")
    await erasures.remember(one, {"lovelace"})

    now = await erasures.now(other)
    assert await erasures.names_of(now) == ["lovelace"]
    assert now.conversations == ["cnv_1"]


async def test_nothing_that_either_found_is_lost(database: AsyncDatabase[Document]) -> None:
    erasures, erasure = await begun(database)
    names = [f"name {n}" for n in range(8)]

    await asyncio.gather(*(erasures.remember(erasure, {name}) for name in names))
    # and whoever finds no more adds nothing
    await erasures.remember(erasure, ())

    assert await erasures.names_of(await erasures.now(erasure)) == names


async def test_who_comes_late_puts_nothing_back(database: AsyncDatabase[Document]) -> None:
    erasures, erasure = await begun(database)
    await erasures.reached(erasure, "done")

    await erasures.remember(erasure, {"lovelace"})

    assert not (await erasures.now(erasure)).names
