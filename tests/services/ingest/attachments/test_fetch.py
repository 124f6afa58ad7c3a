"""Which messages are looked at for files, before any is decoded."""

from dataclasses import dataclass
from typing import Any

import pytest

from libs.events.content import Attachment, Content
from libs.events.registry import encode
from services.ingest.attachments.fetch import may_have_attachments

PHOTO = Attachment(attachment_id="att_1", kind="image", media_type="image/jpeg", reference="r")


@dataclass
class Record:
    value: bytes | None


@pytest.mark.parametrize(
    ("content", "looked_at"),
    [
        (Content(text="hello"), False),
        (Content(text='"attachments":[1]'), False),
        (Content(attachments=(PHOTO,)), True),
        (Content(text="see this", attachments=(PHOTO,)), True),
    ],
)
def test_text_alone_is_not_decoded(content: Content, looked_at: bool) -> None:
    record: Any = Record(encode(content))
    assert may_have_attachments(record) is looked_at


def test_a_record_without_a_body() -> None:
    record: Any = Record(None)
    assert not may_have_attachments(record)
