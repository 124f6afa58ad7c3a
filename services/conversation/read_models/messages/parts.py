"""What a message's row says of it; how a row is made: ``rows.py``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from libs.events.api import FailedCorrection, WithheldEdit
from libs.events.content import Content
from libs.events.marks import Emotion
from services.conversation.domain.conversation.sending import Attempt
from services.conversation.read_models.messages.rows import delivery_of

type MessageRow = Mapping[str, Any]

_content_decoder: Final = msgspec.msgpack.Decoder(Content)
_attempts_decoder: Final = msgspec.msgpack.Decoder(tuple[Attempt, ...])


def edit_of(row: MessageRow) -> tuple[Content, datetime | None] | None:
    """What the message says since it was edited, and since when; None where it was not. Of an album
    that nobody edited: all of it, since None."""
    part = row.get("edit")
    if not part or not part["at"]:
        return None
    return _content_decoder.decode(part["content"]), None if part.get("joined") else part["at"]


def last_edit_of(row: MessageRow) -> datetime | None:
    """The platform's time of the newest edit that is known, also of a withheld one."""
    parts = (row.get(name) for name in ("edit", "withheld"))
    return max((p["at"] for p in parts if p and p["at"] and not p.get("joined")), default=None)


def withheld_edit_of(row: MessageRow) -> WithheldEdit | None:
    """What a blocked customer made of the message, if they have not edited it since."""
    part, edit = row.get("withheld"), row.get("edit")
    if not part or (edit and edit["v"] >= part["v"]):
        return None
    return WithheldEdit(at=part["at"], content=_content_decoder.decode(part["content"]))


def failure_of(row: MessageRow) -> FailedCorrection | None:
    """The last correction of the message, if it failed and there was none after it."""
    part = row.get("failed")
    if not part or any(row.get(one, part)["v"] > part["v"] for one in ("edit", "deleted")):
        return None
    attempted = part["attempted"]
    return FailedCorrection(
        at=part["at"],
        correction=part["correction"],
        reason=part["reason"],
        reason_code=part["reason_code"],
        content=_content_decoder.decode(attempted) if attempted else None,
    )


def emotion_of(row: MessageRow) -> Emotion | None:
    emotion: Emotion | None = row.get("emotion", {}).get("emotion")
    return emotion


def deletion_of(row: MessageRow) -> tuple[datetime, str | None] | None:
    """When the message was deleted, and by which member (None: on the platform)."""
    part = row.get("deleted")
    return (part["at"], part["member"]) if part and part["at"] else None


def attempts_of(row: MessageRow | None, sent_by: str, sent_at: datetime) -> tuple[Attempt, ...]:
    """Each sending of a message that a member sent, the latest last, as far as it has got."""
    delivery = delivery_of(row) if row else None
    told = delivery.state if delivery else None
    resent = row.get("resent") if row else None
    earlier: tuple[Attempt, ...] = ()
    if not resent:
        latest = Attempt(1, sent_at, sent_by, "queued")
    else:
        latest = Attempt(resent["attempt"], resent["at"], resent["member"], "queued")
        earlier = _attempts_decoder.decode(resent["earlier"])
    # Of what was sent again a moment ago, nothing is told yet.
    if told is not None and told.attempt == latest.number:
        latest = replace(latest, state=told.state, reason=told.reason, reason_code=told.reason_code)
    return (*earlier, latest)


def stands(row: MessageRow | None, part: str, version: int) -> bool:
    """Whether what a member made of the message at that version (``edit``, ``deleted``) was done,
    as far as the row tells: the channel may have refused it."""
    if not row or part not in row:
        return True
    failed = row.get("failed")
    if failed and failed.get("asked") == version:
        return False
    # What was deleted once cannot be deleted again, unless it was not.
    return part != "deleted" or bool(row[part]["v"] == version)
