"""CPU seconds and memory of the processes, with the children that they started.

Beside the parts of the suite there are ``load``, this process, and ``others``: whatever else keeps
the machine busy, which a run that is to be believed has little of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_s: float
    rss_mb: float


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Of each process now; the CPU seconds are those since its start."""
    used = {name: _of(psutil.Process(pid), children=True) for name, pid in pids.items()}
    used["load"] = _of(psutil.Process(), children=False)
    machine = psutil.cpu_times()
    busy_s = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
    ours_s = sum(one.cpu_s for one in used.values())
    return used | {"others": Usage(busy_s - ours_s, 0.0)}


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, Usage]:
    """The CPU seconds between, the memory after."""
    return {name: Usage(now.cpu_s - before[name].cpu_s, now.rss_mb) for name, now in after.items()}


def _of(process: psutil.Process, *, children: bool) -> Usage:
    cpu_s = rss_mb = 0.0
    for one in (process, *(process.children(recursive=True) if children else ())):
        times = one.cpu_times()
        cpu_s += times.user + times.system
        rss_mb += one.memory_info().rss / _MB
    return Usage(cpu_s, rss_mb)
