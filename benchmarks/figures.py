"""The figures of a run: their names, their arithmetic, the table and the file."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).resolve().parent / "results" / "latest.json"
PERCENTILES: Final = (50, 95, 99)
# What the suite is to reach on 2 cores, all servers and the load among them.
GOALS: Final[Mapping[str, str]] = {
    "idle_cpu_percent": "≤ 10",
    "webhook_accepts_per_s": "≥ 1000",
    "sustained_messages_per_s": "≥ 500",
    "live_p50_ms_at_20": "≤ 20",
    "live_p99_ms_at_20": "≤ 60",
    "live_p99_ms_at_200": "≤ 200",
    "inbox_p99_ms_20k": "≤ 50",
    "take_reply_close_per_s": "≥ 100",
    "conversation_messages_per_s": "≥ 1200",
    "commands_per_s": "≥ 400",
    "commands_p99_ms": "≤ 80",
    "conversation_rss_mb": "≤ 300",
    "as_of_10k_events_ms": "≤ 300",
    "verify_commits_per_s": "≥ 20000",
    "load_10k_events_ms": "≤ 5",
    "tab_p99_ms_100k": "≤ 50",
    "search_p99_ms_100k": "≤ 100",
    "rebuild_events_per_s": "≥ 8000",
}


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was measured, never one between two.

    Errors: ValueError for no values.
    """
    if not values:
        raise ValueError("no values, no percentile")
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(0, int(rank) - 1)]


@dataclass
class Figures:
    """Flat, by name. ``<name>_limit`` is the bare driver's, ``<name>_ratio`` ours divided by it."""

    values: dict[str, float] = field(default_factory=dict)

    def put(self, name: str, value: float) -> None:
        """Errors: ValueError when the name is taken."""
        if name in self.values:
            raise ValueError(f"{name} was measured already")
        self.values[name] = value

    def beside(self, name: str, ours: float, bare: float) -> None:
        """A figure with the bare driver's and the ratio."""
        self.put(name, ours)
        self.put(f"{name}_limit", bare)
        self.put(f"{name}_ratio", ours / bare)

    def latencies(
        self, what: str, suffix: str, ours_s: Sequence[float], bare_s: Sequence[float]
    ) -> None:
        """``<what>_p50_ms<suffix>`` and so on, with the bare driver's."""
        for percent in PERCENTILES:
            self.beside(
                f"{what}_p{percent}_ms{suffix}",
                percentile(ours_s, percent) * 1000,
                percentile(bare_s, percent) * 1000,
            )

    def alias(self, name: str, of: str) -> None:
        """The same figure under its headline's name."""
        for ending in ("", "_limit", "_ratio"):
            self.put(name + ending, self.values[of + ending])


def run_alone(measure: Callable[[str, Figures], Awaitable[None]]) -> None:
    """What a module run by itself does: ``measure`` at the URL it was given, and the table."""

    async def measured() -> Figures:
        figures = Figures()
        await measure(sys.argv[1], figures)
        return figures

    print(table(asyncio.run(measured()).values))


def table(values: Mapping[str, float]) -> str:
    """The figures, a line each: ours, the bare driver's, the ratio, what is to be reached."""
    rows = [("", "measured", "bare driver", "ratio", "goal")]
    for name, value in values.items():
        if name.endswith(("_limit", "_ratio")):
            continue
        limit, ratio = values.get(f"{name}_limit"), values.get(f"{name}_ratio")
        rows.append((name, _text(value), _text(limit), _text(ratio), GOALS.get(name, "")))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _text(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def write(path: Path, values: Mapping[str, float], about: Mapping[str, Any]) -> None:
    """``about`` says of which machine, commit and command the figures are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = {name: round(value, 3) for name, value in values.items()}
    path.write_text(json.dumps({**about, "figures": rounded}, indent=2, ensure_ascii=False) + "\n")
