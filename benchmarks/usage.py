"""CPU seconds and memory of the processes, with the children that they started."""

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
    return {name: _of(psutil.Process(pid)) for name, pid in pids.items()}


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, Usage]:
    """The CPU seconds between, the memory after."""
    return {name: Usage(now.cpu_s - before[name].cpu_s, now.rss_mb) for name, now in after.items()}


def _of(process: psutil.Process) -> Usage:
    cpu_s = rss_mb = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        cpu_s += times.user + times.system
        rss_mb += one.memory_info().rss / _MB
    return Usage(cpu_s, rss_mb)
