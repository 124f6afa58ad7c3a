"""What one client may cost the HTTP server: uvicorn's protocols, with bounds on all that comes in.

uvicorn has no option for them (0.54: only its ``h11`` protocol bounds a head, no protocol has a
time for one), so its two protocols are subclassed here, for every process of Parley.

    head     bytes and fields, of trailers too, and a time             431, 408
    body     a time, longer for each byte that came                    408
    answers  a client that takes nothing of them for long is let go    (reset)
    sockets  a rate of frames, a backlog of pongs                      1008, (reset)
    address  connections at once, on ports that anybody reaches        (reset)

What is refused before there is a request has no language and no route: its problem is in English.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from libs.runtime.limiter import Bucket, Rate, address_key
from libs.runtime.metrics import CONNECTIONS_REFUSED
from libs.runtime.problems import BadRequest, HeadTooLarge, Problem, TooSlow

# What a refused client still sends is read and dropped for so long: a connection that is closed
# over unread bytes is reset, and the client never sees why.
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 1_000_000
_POLICY_VIOLATION: Final = 1008
_FRAMES: Final = Rate(burst=100, per_second=20)
# ``websockets`` reads the head again, takes 8,192 bytes a line, and has no answer for more.
_WEBSOCKET_LINE_BYTES: Final = 8_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. ``body_seconds`` grows by one for each ``body_bytes_per_second`` that came.

    ``stalled_seconds``: a client that takes nothing of what waits for it is let go then, and after
    ``closing_seconds`` where nothing but that keeps its connection. ``connections``: of an address
    (an IPv6 /64) at once, None for as many as come. The times are looked at every
    ``look_seconds``.
    """

    head_bytes: int = 32 * 1024
    head_fields: int = 100
    head_seconds: float = 10
    body_seconds: float = 15
    body_bytes_per_second: int = 1024
    pipelined: int = 16
    stalled_seconds: float = 30
    closing_seconds: float = 5
    frames: Rate = _FRAMES
    backlog_bytes: int = 128 * 1024
    connections: int | None = None
    look_seconds: float = 1


class Guard:
    """Makes the server's protocols and looks after their connections while ``watch`` runs.

    ``trusted``: whether an address is a proxy's, whose connections are everybody's.
    """

    def __init__(self, limits: Limits, trusted: Callable[[str], bool]) -> None:
        self.limits = limits
        self._trusted = trusted
        self._connections: set[_Http | _WebSocket] = set()
        self._of_address: Counter[str] = Counter()

    def http(self, **uvicorns: Any) -> HttpToolsProtocol:
        return _Http(self, **uvicorns)

    def websocket(self, **uvicorns: Any) -> WebSocketsSansIOProtocol:
        return _WebSocket(self, **uvicorns)

    def joined(self, connection: "_Http | _WebSocket") -> None:
        self._connections.add(connection)
        if self.limits.connections is not None:
            self._of_address[connection.address] += 1

    def left(self, connection: "_Http | _WebSocket") -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        if self.limits.connections is not None:
            self._of_address[connection.address] -= 1
            if not self._of_address[connection.address]:
                del self._of_address[connection.address]

    def is_full(self, address: str) -> bool:
        """Whether the address has all the connections that it may have."""
        most = self.limits.connections
        return most is not None and self._of_address[address] >= most and not self._trusted(address)

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(self.limits.look_seconds)
            now = time.monotonic()
            for connection in list(self._connections):
                connection.look(now)


class _Unsent:
    """Whether a client takes what waits for it."""

    __slots__ = ("_bytes", "_since")

    def __init__(self) -> None:
        self._bytes = 0
        self._since = time.monotonic()

    def is_stuck(self, transport: asyncio.Transport, limits: Limits, now: float) -> bool:
        unsent = transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._bytes:
            self._since = now
        self._bytes = unsent
        patience = limits.closing_seconds if transport.is_closing() else limits.stalled_seconds
        return now - self._since > patience


def _let_go(transport: asyncio.Transport, reason: str) -> None:
    CONNECTIONS_REFUSED.labels(reason).inc()
    transport.abort()


class _Reading(Enum):
    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"
    # It was refused: what it still sends is dropped.
    DREGS = "dregs"


class _Http(HttpToolsProtocol):
    def __init__(self, guard: Guard, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._guard = guard
        self._limits = guard.limits
        self._unsent = _Unsent()
        self._reading = _Reading.HEAD
        self._until = time.monotonic() + self._limits.head_seconds
        self._heard = False
        # Of the present message's head and trailers; and bytes of which the parser told nothing.
        self._head_bytes = 0
        self._head_fields = 0
        self._untold_bytes = 0
        self._refusal: Problem = BadRequest()
        self.address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's too
        super().connection_made(transport)
        self.address = address_key(self.client[0] if self.client else "")
        if self._guard.is_full(self.address):
            self._reading = _Reading.DREGS
            _let_go(transport, "connections")
            return
        self._guard.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.left(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        lines = [len(self.url), *(len(name) + len(value) for name, value in self.headers)]
        if max(lines) > _WEBSOCKET_LINE_BYTES:
            self._refuse(HeadTooLarge())
            return
        self._guard.left(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        if self._reading is _Reading.DREGS:
            self._head_bytes += len(data)
            if self._head_bytes > _LINGER_BYTES:
                self.transport.abort()
            return
        self._heard = True
        if self._reading is _Reading.NOTHING:
            self._begin_head()
        self._untold_bytes += len(data)
        super().data_received(data)
        if self._untold_bytes > self._limits.head_bytes:
            self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._head_fields = 0
        if self._reading is _Reading.NOTHING:
            self._begin_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url), 0)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value), 1)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            raise _Refused
        self._untold_bytes = 0
        self._reading = _Reading.BODY
        self._until = time.monotonic() + self._limits.body_seconds
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._untold_bytes = 0
        if not self.cycle.response_complete:
            self._until += len(body) / self._limits.body_bytes_per_second
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._untold_bytes = 0
        self._reading = _Reading.NOTHING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._reading is _Reading.BODY:
            # It was answered before its end, which is of no use to anybody.
            self._until = time.monotonic() + self._limits.closing_seconds
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal)

    def look(self, now: float) -> None:
        if self._unsent.is_stuck(self.transport, self._limits, now):
            _let_go(self.transport, "unread")
        elif self._reading is _Reading.NOTHING or now < self._until:
            return
        elif self._reading is _Reading.DREGS:
            self.transport.abort()
        elif self._reading is _Reading.HEAD and self._is_answering:
            self._until = now + self._limits.head_seconds
        elif self._reading is _Reading.BODY and self.flow.read_paused:
            # It is we who do not read.
            self._until = now + self._limits.body_seconds
        elif self._heard:
            self._refuse(TooSlow())
        else:
            CONNECTIONS_REFUSED.labels("silent").inc()
            self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _begin_head(self) -> None:
        self._reading = _Reading.HEAD
        self._until = time.monotonic() + self._limits.head_seconds

    def _count(self, head_bytes: int, fields: int) -> None:
        self._untold_bytes = 0
        self._head_bytes += head_bytes
        self._head_fields += fields
        if (
            self._head_bytes > self._limits.head_bytes
            or self._head_fields > self._limits.head_fields
        ):
            self._refusal = HeadTooLarge()
            raise _Refused

    def _refuse(self, problem: Problem) -> None:
        """The last that is said on this connection."""
        if self._reading is _Reading.DREGS:
            return
        CONNECTIONS_REFUSED.labels(problem.kind).inc()
        # An answer must not come before, or into, that of a request which is being worked on.
        in_the_midst = self._is_answering and (
            self._reading is not _Reading.BODY or self.cycle.response_started or bool(self.pipeline)
        )
        self._reading = _Reading.DREGS
        self._until = time.monotonic() + _LINGER_SECONDS
        self._head_bytes = 0
        if self._is_answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if in_the_midst or self.transport.is_closing():
            self.transport.abort()
            return
        self.flow.resume_reading()
        self.transport.write(_encoded(problem.response()))
        self.transport.write_eof()


class _Refused(Exception):
    """Out of the parser's callbacks, which uvicorn answers by ``send_400_response``."""


def _encoded(response: Response) -> bytes:
    fields = b"".join(b"%b: %b\r\n" % field for field in response.raw_headers)
    end = b"connection: close\r\n\r\n"
    return STATUS_LINE[response.status_code] + fields + end + bytes(response.body)


class _WebSocket(WebSocketsSansIOProtocol):
    def __init__(self, guard: Guard, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._guard = guard
        self._limits = guard.limits
        self._unsent = _Unsent()
        self._frames = Bucket(self._limits.frames, time.monotonic())
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.address = address_key(self.client[0] if self.client else "")
        self._guard.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.left(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        frames = len(self.conn.events)
        if frames and not self._frames.takes(time.monotonic(), frames):
            self._give_up("frames")
        elif self.transport.get_write_buffer_size() > self._limits.backlog_bytes:
            self._give_up("unread")
        else:
            super().handle_events()

    def look(self, now: float) -> None:
        if self._unsent.is_stuck(self.transport, self._limits, now):
            _let_go(self.transport, "unread")

    def _give_up(self, reason: str) -> None:
        """Say so and go; what waits to be written is the flood's own pongs."""
        self.conn.events_received()
        self.conn.data_to_send()
        if self.transport.is_closing():
            return
        CONNECTIONS_REFUSED.labels(reason).inc()
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _POLICY_VIOLATION})
        if self.transport.get_write_buffer_size() or not self.handshake_complete:
            self.transport.abort()
            return
        self.conn.fail(_POLICY_VIOLATION, "too many frames")
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
