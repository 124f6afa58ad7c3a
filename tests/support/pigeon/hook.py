"""What the post delivers: ``{"loft": …, "letters": [{"id", "from", "name", "text", "at"}, …]}``."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import parse_qs

import msgspec
from starlette.responses import PlainTextResponse, Response

from libs.events.content import Channel, Content, Sender
from libs.events.ids import IdKey
from libs.events.inbound import InboundReceived
from libs.events.registry import UNREADABLE
from libs.runtime.problems import Forbidden, Unauthorized
from services.ingest.ports.webhooks import Delivery, Inbound, Proved, Understood
from tests.support.pigeon.channel import PigeonCredentials

SIGNATURE: Final = "x-pigeon-signature"
_MAX_BYTES: Final = 10_000


class Letter(msgspec.Struct, frozen=True):
    id: str
    sender: str = msgspec.field(name="from")
    name: str
    text: str
    at: datetime


class _Basket(msgspec.Struct, frozen=True):
    letters: list[msgspec.Raw]


def signature_of(secret: str, raw: bytes) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


class PigeonWebhook:
    """A ``Webhook``: the signature is over the body as it came."""

    taken: ClassVar[bytes] = b"ok"
    media_type: ClassVar[str] = "text/plain"

    def __init__(self, ids: IdKey) -> None:
        self._ids = ids

    async def proved_body(self, delivery: Delivery, keys: Sequence[PigeonCredentials]) -> bytes:
        given = delivery.header(SIGNATURE.encode())
        if given is None:
            raise Unauthorized("the signature is missing")
        raw = await delivery.body(_MAX_BYTES)
        if not any(
            hmac.compare_digest(given, signature_of(one.secret, raw).encode()) for one in keys
        ):
            raise Forbidden("the signature is wrong")
        return raw

    async def normalise(self, proved: Proved[PigeonCredentials]) -> Understood:
        try:
            letters = msgspec.json.decode(proved.raw, type=_Basket).letters
        except UNREADABLE:
            return Understood(unreadable=[(proved.raw, "not a basket")])
        events, unreadable = read_letters(self._ids, proved.source.id, letters, proved.received_at)
        return Understood(events, unreadable=unreadable)


def read_letters(
    ids: IdKey, source_id: str, letters: Sequence[msgspec.Raw], received_at: datetime
) -> tuple[list[Inbound], list[tuple[bytes, str]]]:
    """What they say, and those that nobody can read."""
    events: list[Inbound] = []
    unreadable = []
    for raw in letters:
        try:
            letter = msgspec.json.decode(raw, type=Letter)
        except UNREADABLE:
            unreadable.append((bytes(raw), "not a letter"))
        else:
            events.append(_message(ids, source_id, letter, received_at))
    return events, unreadable


def _message(ids: IdKey, source_id: str, letter: Letter, received_at: datetime) -> InboundReceived:
    thread = letter.sender
    return InboundReceived(
        cause=ids.message_cause(source_id, thread, letter.id),
        kind="message",
        direction="incoming",
        channel=Channel("pigeon"),
        source_id=source_id,
        conversation_id=ids.conversation(source_id, thread),
        thread=thread,
        customer_id=ids.customer(source_id, thread),
        sender=Sender(external_id=thread, name=letter.name),
        message_id=ids.message(source_id, thread, letter.id),
        external_message_id=letter.id,
        content=Content(text=letter.text),
        occurred_at=min(letter.at, received_at),
        received_at=received_at,
    )


class PigeonHandshake:
    """A ``Handshake``: the challenge comes back where the token is the source's."""

    async def answer(self, delivery: Delivery, keys: Sequence[PigeonCredentials]) -> Response:
        query = {name: values[0] for name, values in parse_qs(delivery.query.decode()).items()}
        if query.get("token") not in {one.verify_token for one in keys if one.verify_token}:
            raise Forbidden("the token is wrong")
        return PlainTextResponse(query.get("challenge", ""))
