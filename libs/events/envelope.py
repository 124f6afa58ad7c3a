"""CloudEvents 1.0 in Kafka's binary mode: attributes in headers, the JSON body as the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2 (headers ``ce_<attribute>``, UTF-8;
``content-type`` for ``datacontenttype``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from libs.events.registry import Body, decode, encode, spec_of
from libs.events.topics import Topic

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"

SEQUENCE_MAX: Final = 2**63 - 1

_TRACE: Final = ("traceparent", "tracestate")
# Others' headers may be there too, and need not be text.
_OURS: Final = frozenset(
    {
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_subject",
        "ce_time",
        "ce_workspace",
        "ce_sequence",
        *_TRACE,
    }
)

Headers = Sequence[tuple[str, bytes]]


class InvalidEnvelope(Exception):
    """A message whose headers are not those of a CloudEvent of ours."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A public event or command with its CloudEvents attributes.

    ``subject`` is the stream the event belongs to and ``sequence`` its version there (numbered
    from 1 without gaps; 0 where the producer keeps no stream). ``key`` decides the partition.
    ``time`` is the fact's time, UTC.
    """

    id: str
    source: str
    subject: str
    key: str
    workspace_id: str
    sequence: int
    time: datetime
    body: Body
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def topic(self) -> Topic:
        return spec_of(self.body).topic

    def encode(self) -> bytes:
        return encode(self.body)

    def headers(self) -> list[tuple[str, bytes]]:
        attributes = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": self.id,
            "ce_type": spec_of(self.body).name,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": self.time.isoformat(),
            "ce_workspace": self.workspace_id,
            "ce_sequence": str(self.sequence),
            "content-type": CONTENT_TYPE,
            **self.extra,
        }
        return [(name, value.encode()) for name, value in attributes.items()]


def read_envelope(
    key: bytes | None, headers: Iterable[tuple[str, bytes | None]], value: bytes
) -> Envelope:
    """The envelope of a Kafka message.

    Errors: InvalidEnvelope (an attribute is missing or malformed), UnknownType, InvalidBody.
    """
    try:
        texts = {
            name: text.decode() for name, text in headers if name in _OURS and text is not None
        }
        if texts["ce_specversion"] != SPEC_VERSION:
            raise InvalidEnvelope(f"CloudEvents {texts['ce_specversion']!r} is not understood")
        type_name = texts["ce_type"]
        time = datetime.fromisoformat(texts["ce_time"])
        if time.tzinfo is None:
            raise InvalidEnvelope("ce_time has no time zone")
        sequence = _sequence(texts["ce_sequence"])
        return Envelope(
            id=texts["ce_id"],
            source=texts["ce_source"],
            subject=texts["ce_subject"],
            key=(key or b"").decode(),
            workspace_id=texts["ce_workspace"],
            sequence=sequence,
            time=time.astimezone(UTC),
            body=decode(type_name, value),
            extra={n: texts[n] for n in _TRACE if n in texts},
        )
    except KeyError as error:
        raise InvalidEnvelope(f"the header {error.args[0]} is missing") from error
    except (ValueError, OverflowError) as error:
        raise InvalidEnvelope(f"a header is malformed: {error}") from error


def sequence_in(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """The sequence that a message's headers tell, its body unread; 0 where they tell none.

    Errors: InvalidEnvelope.
    """
    given = next((value for name, value in headers if name == "ce_sequence"), None)
    return 0 if given is None else _sequence(given)


def _sequence(given: str | bytes) -> int:
    """Errors: InvalidEnvelope."""
    try:
        sequence = int(given)
    except ValueError as error:
        raise InvalidEnvelope(f"a header is malformed: {error}") from error
    if not 0 <= sequence <= SEQUENCE_MAX:
        raise InvalidEnvelope("ce_sequence is out of its range")
    return sequence
