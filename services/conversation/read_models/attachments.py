"""In which conversations a file is (``conversation_attachments``): who sees one of them sees it.

    {_id: "<attachment id>/<conversation id>", a: attachment id, c: conversation id}

The same file of a platform has the same id in each of a source's conversations, so it may be in
many. The rows hold ids alone, are written with the message, and outlast an erasure.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pymongo import ASCENDING, IndexModel, UpdateOne

from libs.eventstore.commits import Commit, StoredEvent
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, insert_missing
from services.conversation.domain.conversation.blocking import EditWithheld, MessageWithheld
from services.conversation.domain.conversation.corrections import MessageEdited
from services.conversation.domain.conversation.erasure import AttachmentsErased
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.events import decode, name_of

FILES: Final = "conversation_attachments"
FILE_INDEXES: Final = (IndexModel([("a", ASCENDING)], name="attachment"),)

FILES_ARE_OF: Final = frozenset(
    name_of(event)
    for event in (
        MessageReceived,
        MessageSent,
        MessageEdited,
        MessageWithheld,
        EditWithheld,
        AttachmentsErased,
    )
)
# A field's name: most messages have none, and need not be decoded to know.
_WITH_FILES: Final = (b'"attachments"', b'"attachment_ids"')


def files_of(commits: Iterable[Commit]) -> list[Document]:
    """The rows that the conversations' commits give rise to."""
    rows = {
        f"{attachment_id}/{commit.stream}": {
            "_id": f"{attachment_id}/{commit.stream}",
            "a": attachment_id,
            "c": commit.stream,
        }
        for commit in commits
        for stored in commit.events
        for attachment_id in _named(stored)
    }
    return list(rows.values())


def _named(stored: StoredEvent) -> Iterator[str]:
    if stored.type not in FILES_ARE_OF or not any(one in stored.data for one in _WITH_FILES):
        return
    event = decode(stored.type, stored.data)
    match event:
        case AttachmentsErased():
            yield from event.attachment_ids
        case (
            MessageReceived() | MessageSent() | MessageEdited() | MessageWithheld() | EditWithheld()
        ):
            yield from (one.attachment_id for one in event.content.attachments)


async def write_files(rows: Rows, files: Sequence[Document]) -> None:
    """See that they are there. Errors: the driver's."""
    await insert_missing(rows, files)


class FilesModel:
    """The rows, made again from the commits."""

    collection = FILES

    def reads(self, event: str) -> bool:
        return event in FILES_ARE_OF

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        return files_of(stream)

    def part(self, row: Document) -> UpdateOne | None:
        return None

    def merged(self, live: Document, rebuilt: Document) -> Document:
        return live

    def same(self, live: Document) -> Document:
        return {}

    def stream_of(self, live: Document) -> str | None:
        stream: str = live["c"]
        return stream

    async def finish(self, live: Rows) -> None:
        """Nothing: a row says the same for ever."""
