"""The figures counted once more, from the timelines alone, by their definitions."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.e2e.team import Json

Key = str | None
_TOLERANCE_S = 0.01


@dataclass
class Case:
    """One case as its timeline tells it. ``turns``: who answered it, and with how many seconds."""

    case_id: str
    opened_at: datetime
    responsibles: list[str] = field(default_factory=list)
    closed_at: datetime | None = None
    waiting_since: datetime | None = None
    turns: int = 0
    answers: list[tuple[str, float]] = field(default_factory=list)

    @property
    def responsible(self) -> Key:
        return self.responsibles[-1] if self.responsibles else None


def cases_of(timeline: Iterable[Json]) -> list[Case]:
    """``timeline``: oldest first."""
    cases: dict[str, Case] = {}
    for item in timeline:
        at = datetime.fromisoformat(item["at"])
        if item.get("key") == "case-opened":
            cases[item["case_id"]] = Case(item["case_id"], at)
            continue
        case = cases[item["case_id"]]
        # A message says when it was written; the case counts from its opening.
        at = max(at, case.opened_at)
        match item["kind"], item.get("key") or item.get("direction"):
            case "system", "case-taken":
                case.responsibles.append(item["member_id"])
            case "system", "case-closed":
                case.closed_at = at
                case.waiting_since = None
            case "message", "incoming":
                if case.waiting_since is None:
                    case.waiting_since = at
                    case.turns += 1
            case "message", "outgoing":
                if case.waiting_since is not None:
                    seconds = (max(at, case.waiting_since) - case.waiting_since).total_seconds()
                    case.answers.append((item["member_id"], seconds))
                case.waiting_since = None
    return list(cases.values())


def counted(cases: Sequence[Case]) -> Json:
    return {
        "all": len(cases),
        "responded": sum(bool(case.answers) for case in cases),
        "unresponded": sum(
            case.waiting_since is not None and case.closed_at is None for case in cases
        ),
        "assigned": sum(case.responsible is not None for case in cases),
        "open": sum(case.closed_at is None for case in cases),
        "closed": sum(case.closed_at is not None for case in cases),
    }


def times_to_close(cases: Iterable[Case]) -> list[float]:
    return [(c.closed_at - c.opened_at).total_seconds() for c in cases if c.closed_at]


def summary_of(cases: Sequence[Case]) -> Json:
    answers = [seconds for case in cases for _, seconds in case.answers]
    return counted(cases) | {
        "turns": sum(case.turns for case in cases),
        "answered": len(answers),
        "time_to_respond": _times(answers),
        "time_to_close": _times(times_to_close(cases)),
    }


def by_member(cases: Sequence[Case]) -> dict[Key, Json]:
    own: dict[Key, list[Case]] = defaultdict(list)
    answers: dict[Key, list[float]] = defaultdict(list)
    for case in cases:
        own[case.responsible].append(case)
        for member_id, seconds in case.answers:
            answers[member_id].append(seconds)
    return {
        key: counted(own[key])
        | {
            # With one responsible a case, all of its turns are theirs.
            "turns": sum(case.turns for case in own[key]),
            "answered": sum(len(case.answers) for case in own[key]),
            "time_to_respond": _times(answers[key]),
            "time_to_close": _times(times_to_close(own[key])),
        }
        for key in {*own, *answers}
    }


def told_summary(answer: Json) -> Json:
    """What ``/v1/metrics/summary`` said, in the same form."""
    rate = answer["response_rate_by_turns"]
    return {name: answer[name]["value"] for name in counted([])} | _told(answer, rate)


def told_by_member(answer: Json) -> dict[Key, Json]:
    """What ``/v1/metrics/performance?by=member`` said."""
    return {
        row["key"]: {name: row[name] for name in counted([])} | _told(row, row["response_rate"])
        for row in answer["items"]
    }


def _told(answer: Json, rate: Json) -> Json:
    return {
        "turns": rate["whole"],
        "answered": rate["part"],
        "time_to_respond": _told_times(answer["time_to_respond"]),
        "time_to_close": _told_times(answer["time_to_close"]),
    }


def _told_times(times: Json) -> Json:
    return {"measured": times["measured"]} | {
        name: times[name]["seconds"] for name in ("average", "median", "p90")
    }


def _times(seconds: Sequence[float]) -> dict[str, Any]:
    if not seconds:
        return {"measured": 0, "average": None, "median": None, "p90": None}
    return {
        "measured": len(seconds),
        "average": statistics.fmean(seconds),
        "median": _quantile(seconds, 0.5),
        "p90": _quantile(seconds, 0.9),
    }


def _quantile(values: Sequence[float], share: float) -> float:
    """Between the two nearest, in proportion (both ends included)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = ordered[math.floor(place)]
    return below + (ordered[math.ceil(place)] - below) * (place - math.floor(place))


def differences(what: str, told: Any, counted_again: Any) -> list[str]:
    """Where the two differ, named by the path to it; seconds may differ by a hundredth."""
    if isinstance(told, dict) and isinstance(counted_again, dict):
        return [
            difference
            for key in sorted({*told, *counted_again}, key=str)
            for difference in differences(f"{what}/{key}", told.get(key), counted_again.get(key))
        ]
    both_numbers = isinstance(told, int | float) and isinstance(counted_again, int | float)
    if told == counted_again or (
        both_numbers and math.isclose(told, counted_again, rel_tol=0, abs_tol=_TOLERANCE_S)
    ):
        return []
    return [f"{what} is told as {told}, and counted again as {counted_again}"]
