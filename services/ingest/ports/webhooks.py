"""A channel's way in: what its platform posts to a source's webhook, proved and understood."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope

from libs.events.credentials import Credentials
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.runtime.problems import BadRequest, TooLarge
from services.ingest.sources import OpenSource

Inbound = InboundReceived | InboundDeleted
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a platform sends to a source's webhook. The body is read when it is asked for."""

    source_id: str
    scope: Scope
    receive: Receive

    @property
    def query(self) -> bytes:
        """As it came, without the question mark."""
        return bytes(self.scope.get("query_string", b""))

    def header(self, name: bytes) -> bytes | None:
        """``name`` in lower case. Of several, the first."""
        return next((value for given, value in self.scope["headers"] if given == name), None)

    async def body(self, limit_bytes: int) -> bytes:
        """Errors: TooLarge, as soon as it is known; BadRequest, where the sender has gone."""
        too_large = TooLarge(f"at most {limit_bytes} bytes are taken")
        declared = self.header(b"content-length") or b""
        if declared.isdigit() and int(declared) > limit_bytes:
            raise too_large
        body = bytearray()
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the body ends before its end")
            body += message.get("body", b"")
            if len(body) > limit_bytes:
                raise too_large
            more = message.get("more_body", False)
        return bytes(body)


@dataclass(frozen=True, slots=True)
class Understood:
    """What one body means.

    ``events`` may be many, of many conversations: they are published a few at a time. ``ignored``
    are the kinds of what is no message of a conversation. ``unreadable`` is kept as it is, each
    with why nobody can read it (no personal data): one malformed item takes no other with it.
    ``unknown`` messages are of a kind that this version shows as just that. ``answer`` is what the
    platform hears; None: that it was taken.
    """

    events: Iterable[Inbound] = ()
    ignored: Sequence[str] = ()
    unreadable: Sequence[tuple[bytes, str]] = ()
    unknown: int = 0
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proved[C: Credentials]:
    """A source's delivery whose sender proved to be its platform, and when it came."""

    source: OpenSource[C]
    raw: bytes
    received_at: datetime = field(repr=False)


class Webhook[C: Credentials](Protocol):
    """One channel's webhook. ``taken`` is the answer to what was taken."""

    taken: ClassVar[bytes]
    media_type: ClassVar[str]

    async def proved_body(self, delivery: Delivery, keys: Sequence[C]) -> bytes:
        """The body, once its sender proved to be the platform, by one of ``keys``: the source's
        credentials, and the former ones while the platform may not know of others.

        A secret in a header is compared before the body is read, a signature over the body as it
        is. Errors: Unauthorized (no proof), Forbidden (a wrong one), TooLarge, BadRequest.
        """

    async def normalise(self, proved: Proved[C]) -> Understood:
        """What the body means here. Errors: Unavailable (the platform is to come again)."""


class Handshake[C: Credentials](Protocol):
    """How a platform makes sure, with a GET, whose a webhook's address is."""

    async def answer(self, delivery: Delivery, keys: Sequence[C]) -> Response:
        """``keys`` as of ``proved_body``. Errors: Unauthorized, Forbidden, BadRequest."""
