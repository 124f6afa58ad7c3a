"""What ingest keeps of a person goes, and does not come again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from obstore.store import LocalStore

from libs.events.content import Attachment
from services.ingest.attachments.store import ERASED, AttachmentStore, Note
from services.ingest.sending.attempts import ERASED_REASON, Attempt, ended_result
from tests.support.ingest.attempts import AttemptsOf, request
from tests.support.ingest.service import WORKSPACE

CAT = Attachment(
    attachment_id="att_" + 30 * "1", kind="image", media_type="image/png", reference="r",
    file_name="heirloom.png",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(folder: Path) -> AttachmentStore:
    return AttachmentStore(LocalStore(folder))


def texts(folder: Path) -> str:
    return str([path.read_bytes() for path in folder.rglob("*") if path.is_file()])


async def test_the_bytes_and_the_name_go_and_the_note_says_so(
    store: AttachmentStore, folder: Path
) -> None:
    await store.put(WORKSPACE, CAT.attachment_id, b"heirloom")
    await store.note_first(WORKSPACE, Note(CAT))

    for _ in range(2):
        await store.erase(WORKSPACE, CAT.attachment_id)

    assert await store.read(WORKSPACE, CAT.attachment_id) is None
    note = await store.describe(WORKSPACE, CAT.attachment_id)
    assert note
    assert note.missing == ERASED
    assert "heirloom" not in texts(folder)


async def test_what_was_being_fetched_meanwhile_does_not_bring_it_back(
    store: AttachmentStore, folder: Path
) -> None:
    await store.put(WORKSPACE, CAT.attachment_id, b"heirloom")
    await store.erase(WORKSPACE, CAT.attachment_id)
    await store.put(WORKSPACE, CAT.attachment_id, b"heirloom, written by one who had stopped")

    note = await store.note_first(WORKSPACE, Note(CAT))

    assert note.missing == ERASED
    assert "heirloom" not in texts(folder)


async def test_an_id_that_is_none_of_ours_is_no_path(store: AttachmentStore) -> None:
    await store.erase(WORKSPACE, "../../etc/passwd")


@pytest.mark.servers
async def test_what_waits_to_be_sent_is_not_sent_and_not_kept(
    attempts: AttemptsOf,  # the fixture of the sending's tests
) -> None:
    theirs = attempts("snd_1")
    now = datetime.now(UTC)
    waiting, begun = (
        Attempt(WORKSPACE, order, request(f"msg_{order}", "heirloom"), now) for order in (1, 2)
    )
    await theirs.insert([waiting, begun], [])
    await theirs.begin([begun.id])

    await theirs.erase(waiting.conversation_id)

    found = await theirs.find([waiting.id, begun.id])
    result = ended_result(found[waiting.id])
    assert (result.state, result.reason) == ("failed", ERASED_REASON)
    assert "request" not in found[waiting.id]
    # what is at the platform already has to be told of
    assert found[begun.id]["state"] == "begun"
    assert await theirs.begin([waiting.id]) == [False]
    assert waiting.id in [one["_id"] for one in await theirs.lapsed(10)]
