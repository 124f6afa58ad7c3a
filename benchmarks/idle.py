"""What a suite costs that has nothing to do: ``idle_cpu_percent``, of one core.

``python -m benchmarks.idle`` measures it alone, over an empty folder.
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.figures import Figures, table
from benchmarks.system import System, connected, started
from benchmarks.usage import Usage, spent

# From then on what a start leaves behind (rebalances, compilation, first sweeps) is done.
QUIET_AFTER_S: Final = 60.0
MEASURED_S: Final = 60.0
_NOT_OURS: Final = frozenset({"load", "others", "bot_api_double"})


async def measure(system: System, figures: Figures) -> None:
    """Over all processes of the suite and its servers, by their CPU time; and of each of them."""
    await system.until_idle()
    system.say(f"measuring what an idle suite costs, {QUIET_AFTER_S + MEASURED_S:.0f} s")
    await asyncio.sleep(QUIET_AFTER_S)
    before, began = system.usage(), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    _put(figures, spent(before, system.usage()), time.monotonic() - began)


def _put(figures: Figures, used: Mapping[str, Usage], seconds: float) -> None:
    percent = {
        name: 100 * one.cpu_s / seconds for name, one in used.items() if name not in _NOT_OURS
    }
    figures.put("idle_cpu_percent", sum(percent.values()))
    for name, one in percent.items():
        figures.put(f"idle_cpu_percent_{name}", one)


def main() -> None:
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    figures = Figures()
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        started(Path(folder), 1, say) as (stack, suite, double),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):

        async def measured() -> None:
            await measure(await connected(stack, suite, double, say), figures)

        runner.run(measured())
    print(f"\n{table(figures.values)}\n")


if __name__ == "__main__":
    main()
