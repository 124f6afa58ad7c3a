"""A real service that can be told to stop dead at one step of rule 7's four.

``python -m tests.support.crash.stop_at <service> <order file>`` serves as ``parley serve`` does.
Once the order file is there and says ``PUBLISHED 3``, say, the process ends at the third time from
then on that this step is reached: without a word, like a power cut. Starting it again is the
test's part.
Where it says ``PUBLISHED 3 pause`` it stands still instead, until somebody sends it SIGCONT.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from libs.eventstore.outbox import Step
from libs.runtime.logs import configure_logs
from libs.runtime.process import serve
from libs.runtime.settings import load
from parley.services import service_spec

STATUS = 9


class StopAt:
    """The outbox's hook. Whoever gives the order writes the file in one go."""

    def __init__(self, order: Path) -> None:
        self._order = order
        self._times = 0

    def __call__(self, step: Step) -> None:
        if not self._order.exists():
            return
        name, times, *pause = self._order.read_text().split()
        if step is not Step[name]:
            return
        self._times += 1
        if self._times >= int(times):
            self._order.unlink()
            if not pause:
                os._exit(STATUS)
            os.kill(os.getpid(), signal.SIGSTOP)


async def _serve(name: str, order: Path) -> None:
    spec = service_spec(name)
    settings = load(spec.settings)
    configure_logs(name, settings.log_level)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    compose: Any = spec.compose  # of the services that have an outbox, it takes the hook
    composed = replace(spec, compose=partial(compose, on_step=StopAt(order)))
    await serve(composed, settings, getattr(settings, f"{name}_port"), stop)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))
