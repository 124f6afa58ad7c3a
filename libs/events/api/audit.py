"""The log of a conversation: who did what and when, and whether anybody has changed it since."""

from datetime import datetime
from typing import Literal

from libs.events.registry import Body


class AuditEntry(Body):
    """One event. ``type`` is its public type; ``member_id`` did it, nobody where a customer or
    the system did. ``at`` is the fact's time, ``recorded_at`` when it was written down."""

    version: int
    type: str
    at: datetime
    recorded_at: datetime
    member_id: str | None = None


class AuditFinding(Body):
    """What happened to the versions ``first`` to ``last``, and how it shows."""

    kind: Literal["altered", "removed", "inserted"]
    first: int
    last: int
    why: str


class ChainState(Body):
    """``head`` is the hash of the last commit, hexadecimal; ``version`` that of its last event.

    ``verified``: every commit is as it was written, as far as the chain shows, whose end is
    compared with the anchors by `parley verify`.

    Of a long conversation what was verified before is not read again at each call: up to
    ``verified_up_to`` it counts as verified since ``verified_from``, and what is altered later
    there is found when it is read again, within hours. ``null``: all of it was read just now.
    """

    version: int
    commits: int
    head: str
    verified: bool
    verified_from: datetime | None = None
    verified_up_to: int = 0
    findings: tuple[AuditFinding, ...] = ()


class AuditPage(Body):
    """Newest first. ``chain`` is of the whole conversation and comes with the first page."""

    items: tuple[AuditEntry, ...]
    chain: ChainState | None = None
    next: str | None = None
