"""One live client: what waits to be shown to it, and why it is shown nothing more."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from opentelemetry.trace import INVALID_SPAN, Span

from services.gateway.accounts.sessions import Principal
from services.gateway.live.frames import RELOAD, ready
from services.gateway.metrics import FRAMES, LIVE_SECONDS

WAITING_AT_MOST: Final = 500


class End(Enum):
    """Why a client is shown nothing more."""

    SIGNED_OUT = "signed-out"
    # This replica stops: another one goes on from the last cursor.
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame on its way to one client. ``cursor``: where to go on after it. ``received_at`` is set
    where its latency is of interest; ``span`` ends when the client has the frame."""

    text: str
    kind: str
    cursor: str | None = None
    received_at: datetime | None = None
    span: Span = INVALID_SPAN


class Subscriber:
    """Frames in order and bounded: who falls behind is told to reload."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.ended: End | None = None
        self._waiting: deque[Waiting] = deque()
        self._some = asyncio.Event()

    @property
    def is_behind(self) -> bool:
        return len(self._waiting) >= WAITING_AT_MOST

    def offer(self, *frames: Waiting) -> None:
        self._waiting.extend(frames)
        self._some.set()

    def ready(self, cursor: str) -> None:
        """What follows is to be gone on from ``cursor``."""
        self.offer(Waiting(ready(cursor), "ready", cursor))

    def reload(self, cursor: str) -> None:
        """What waits is dropped: the client asks for the present, and goes on from ``cursor``."""
        self._waiting.clear()
        self.offer(Waiting(RELOAD, "reload"))
        self.ready(cursor)

    def end(self, why: End) -> None:
        """Nothing more is shown."""
        self.ended = self.ended or why
        self._waiting.clear()
        self._some.set()

    async def each(self) -> AsyncIterator[Waiting]:
        """The frames, each as soon as it is there, until the client's ``end``."""
        while True:
            while not self._waiting and not self.ended:
                self._some.clear()
                await self._some.wait()
            if self.ended:
                return
            waiting = self._waiting.popleft()
            yield waiting
            waiting.span.end()
            FRAMES.labels(waiting.kind).inc()
            if waiting.received_at is not None:
                LIVE_SECONDS.observe((datetime.now(UTC) - waiting.received_at).total_seconds())
