"""``python -m benchmarks [large]``: the whole suite on the local servers, and the bare drivers.

Prints a table and writes ``benchmarks/results/latest.json``. ``large`` adds 100,000 conversations.
"""

import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop
from pymongo import MongoClient

from benchmarks import chain, conversation, desk, idle, live, past, reading, webhook
from benchmarks.child import Child
from benchmarks.figures import RESULTS, Figures, table, write
from benchmarks.system import connected, started
from benchmarks.usage import Usage, spent
from libs.devstack.stack import Devstack
from parley.suite import Suite

# Conversations in the inbox; the last only in the large run.
SIZES: Final = {"1k": 1_000, "20k": 20_000, "100k": 100_000}
EXTRA: Final = {"100k": "large"}
SUSTAINED_CHATS: Final = 2_000
SUSTAINED_MESSAGES: Final = 12_000
CYCLES: Final = 600


def main() -> None:
    size = sys.argv[1] if len(sys.argv) > 1 else ""
    if size not in ("", "large"):
        sys.exit(f"the size may be large or nothing, not {size}")
    began, at = time.monotonic(), datetime.now(UTC)

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    figures = Figures()
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        started(Path(folder), max(SIZES.values()) + SUSTAINED_CHATS, say) as (stack, suite, double),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(measure(stack, suite, double, figures, size, say))
        mongodb = _version(stack.servers.mongodb_url)
    conversation.measure(figures, say)
    reading.measure(reading.LARGE if size else reading.SIZE, figures, say)
    about = {
        "started_at": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "command": " ".join(("python -m benchmarks", size)).strip(),
        "runs": 1,
        "commit": _commit(),
        "machine": _machine(mongodb),
    }
    print(f"\n{table(figures.values)}\n")
    write(RESULTS, figures.values, about)
    print(f"{about['seconds']} s in all; written to {RESULTS}")


async def measure(
    stack: Devstack,
    suite: Suite,
    double: Child,
    figures: Figures,
    size: str,
    say: Any,
) -> None:
    """Everything in turn; before each measurement the suite has nothing left to do."""
    system = await connected(stack, suite, double, say)
    await idle.measure(system, figures)
    before = system.usage()
    there = 0
    for name, wanted in SIZES.items():
        if name in EXTRA and size != EXTRA[name]:
            continue
        rate = await webhook.fill(system, range(there, wanted))
        figures.put(f"new_conversations_per_s_to_{name}", rate)
        there = wanted
        await desk.measure_inbox(system, figures, name)
    # From here on the suite works beside all these conversations.
    known = range(there - min(SIZES.values()), there)
    await webhook.measure_accepts(system, figures, known)
    await live.measure(system, figures, known)
    new = range(there, there + SUSTAINED_CHATS)
    used = await webhook.measure_sustained(system, figures, new, SUSTAINED_MESSAGES)
    await desk.measure_commands(system, figures, CYCLES)
    await past.measure(stack.servers.mongodb_url, figures)
    await chain.measure(stack.servers.mongodb_url, figures)
    _note(figures, "sustained", used)
    _note(figures, "whole_run", spent(before, system.usage()))


def _note(figures: Figures, when: str, used: Mapping[str, Usage]) -> None:
    for process, one in used.items():
        figures.put(f"{when}_cpu_s_{process}", one.cpu_s)
        figures.put(f"{when}_rss_mb_{process}", one.rss_mb)


def _commit() -> str:
    """Of the checkout; marked where it holds changes."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def _version(mongodb_url: str) -> str:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        return str(client.admin.command("buildInfo")["version"])


def _machine(mongodb: str) -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "mongodb": mongodb,
        "load_average_at_end": [round(one, 2) for one in psutil.getloadavg()],
    }


if __name__ == "__main__":
    main()
