"""Rates kept on our side."""

import asyncio
import time

import pytest

from services.ingest.sending.pace import Bucket, Pace, Rate


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    bucket = Bucket(Rate(per_second=2, burst=3), now=100)
    for _ in range(3):
        assert bucket.wait_seconds(100) == 0
        bucket.take(100)
    assert bucket.wait_seconds(100) == pytest.approx(0.5, abs=1e-5)
    assert bucket.wait_seconds(100.5) == 0
    assert not bucket.is_full(100.5)
    assert bucket.is_full(101.5)


async def test_a_chat_that_waits_keeps_no_other_waiting() -> None:
    pace = Pace(Rate(per_second=100, burst=100))
    slow = Rate(per_second=10, burst=1)
    started = time.monotonic()
    await asyncio.gather(*(pace.slot("bot", "anna", slow) for _ in range(4)))
    assert time.monotonic() - started >= 0.29

    started = time.monotonic()
    waiting = asyncio.create_task(pace.slot("bot", "anna", slow))
    await pace.slot("bot", "boris", slow)
    assert not waiting.done()
    await waiting


async def test_a_blocked_account_waits_and_others_do_not() -> None:
    pace = Pace(Rate(per_second=100, burst=100))
    chat = Rate(per_second=100, burst=100)
    pace.block("bot", 0.3)
    pace.block("bot", 0.1)
    started = time.monotonic()
    await pace.slot("other", "anna", chat)
    blocked = asyncio.create_task(pace.slot("bot", "anna", chat))
    await asyncio.sleep(0)
    assert not blocked.done()
    await blocked
    assert time.monotonic() - started >= 0.3


async def test_who_waits_for_an_account_is_served_in_order_and_sleeps_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Woken at every slot, a queue of n would cost n² wake-ups."""
    pace = Pace(Rate(per_second=200, burst=1))
    served: list[int] = []
    sleeps: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        sleeps.append(seconds)
        await sleep(seconds)

    async def send(number: int) -> None:
        await pace.slot("bot", f"chat {number}", Rate(per_second=1, burst=5))
        served.append(number)

    monkeypatch.setattr(asyncio, "sleep", counted)
    started = time.monotonic()
    await asyncio.gather(*(send(number) for number in range(50)))

    assert time.monotonic() - started >= 49 / 200 - 0.01
    assert served == list(range(50))
    # A timer may go off a little early, and is set again; waking everybody would take 1,225.
    assert len(sleeps) <= 6 * 50


async def test_who_gives_up_waiting_leaves_the_line_to_the_next() -> None:
    pace = Pace(Rate(per_second=20, burst=1))
    chat = Rate(per_second=100, burst=100)
    await pace.slot("bot", "anna", chat)
    waiting = [asyncio.create_task(pace.slot("bot", "anna", chat)) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    waiting[1].cancel()
    async with asyncio.timeout(1):
        await waiting[2]
