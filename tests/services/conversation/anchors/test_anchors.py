"""What an anchor is, where it is kept, and what is told of anchors that somebody touched."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from libs.eventstore.chain import Head
from libs.runtime.storage import StorageAway, open_storage
from services.conversation.anchors.anchor import AnchorKey, Before, merkle_root, trouble_with
from services.conversation.anchors.reading import read_anchors
from services.conversation.anchors.storage import AnchorStorage

KEY = AnchorKey(b"d" * 32)
OTHER_KEY = AnchorKey(b"e" * 32)
AT = datetime(2025, 11, 2, 10, 41, 7, 123_456, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "anchors"


@pytest.fixture
def storage(folder: Path) -> AnchorStorage:
    return AnchorStorage(open_storage(folder.as_uri(), {}))


def heads_of(**versions: int) -> dict[str, Head]:
    return {s: Head(v, hashlib.sha256(f"{s}{v}".encode()).digest()) for s, v in versions.items()}


async def written(
    storage: AnchorStorage, *heads: dict[str, Head], workspace: str = "wsp_1"
) -> None:
    for some in heads:
        anchor = KEY.anchor(workspace, await storage.last(workspace), some, AT)
        assert await storage.add(anchor)


def by_the_book(leaves: Sequence[bytes]) -> bytes:
    """The definition in RFC 9162: split at the largest power of two below the number of leaves."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = by_the_book(leaves[:half]), by_the_book(leaves[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40))
def test_the_tree_is_that_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == by_the_book(leaves)


def test_an_anchor_is_believed_by_its_public_key_alone() -> None:
    anchor = KEY.anchor("wsp_1", Before(), heads_of(b=2, a=1), AT)

    assert [head.stream for head in anchor.heads] == ["a", "b"]
    assert anchor.at == AT.replace(microsecond=123_000)
    assert trouble_with(anchor, {KEY.public}) is None
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(anchor.key))
    key.verify(bytes.fromhex(anchor.signature), anchor.signed_bytes())


def test_the_key_is_the_same_each_time_and_tells_nothing_of_the_deployments() -> None:
    assert AnchorKey(b"d" * 32).public == KEY.public != OTHER_KEY.public
    assert KEY.public != (b"d" * 32).hex()


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"number": 2}, "signature"),
        ({"workspace": "wsp_2"}, "signature"),
        ({"at": "2025-11-02T10:41:08Z"}, "signature"),
        ({"prev": "ab" * 32}, "signature"),
        ({"prev": "not hexadecimal"}, "signature"),
        ({"root": "ab" * 32}, "signature"),
        ({"signature": "ab" * 64}, "signature"),
        ({"signature": ""}, "signature"),
        ({"heads": []}, "signature"),
        ({"heads": [["a", 1, "ab" * 32], ["b", 2, "ab" * 32]]}, "heads are not those"),
        ({"key": OTHER_KEY.public}, "not one of this deployment's"),
    ],
)
async def test_an_anchor_that_was_touched_is_not_believed(
    storage: AnchorStorage, folder: Path, change: dict[str, Any], trouble: str
) -> None:
    await written(storage, heads_of(a=1, b=2))
    touch(folder, 1, lambda anchor: anchor | change)

    anchored = await read_anchors(storage, {KEY.public})

    assert len(anchored.findings) == 1
    assert trouble in anchored.findings[0]
    assert anchored.heads == {}


def touch(folder: Path, number: int, change: Callable[[Any], Any]) -> None:
    path = folder / "wsp_1" / f"{number:010d}.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


async def test_anchors_tell_the_newest_head_of_each_stream(storage: AnchorStorage) -> None:
    await written(storage, heads_of(a=1, b=4), heads_of(a=3), heads_of(a=2, c=1))
    await written(storage, heads_of(d=7), workspace="wsp_2")

    anchored = await read_anchors(storage, {KEY.public})

    assert anchored.findings == []
    assert (anchored.anchors, anchored.newest) == (4, AT.replace(microsecond=123_000))
    assert anchored.heads == heads_of(a=3, b=4, c=1, d=7)


async def test_of_two_who_write_the_same_number_one_is_told(storage: AnchorStorage) -> None:
    one = KEY.anchor("wsp_1", Before(), heads_of(a=1), AT)
    other = KEY.anchor("wsp_1", Before(), heads_of(b=1), AT)

    assert await storage.add(one)
    assert not await storage.add(other)
    assert await storage.last("wsp_1") == one.before_next()
    assert await storage.last("wsp_2") == Before()


@pytest.mark.parametrize(
    ("gone", "told"), [([1], "anchor 1 of"), ([2, 3], "anchor 2 to 3 of"), ([3], "anchor 3 of")]
)
async def test_an_anchor_that_was_taken_away_is_missed(
    storage: AnchorStorage, folder: Path, gone: list[int], told: str
) -> None:
    await written(storage, *(heads_of(a=version) for version in (1, 2, 3, 4)))
    for number in gone:
        (folder / "wsp_1" / f"{number:010d}.json").unlink()

    [finding] = (await read_anchors(storage, {KEY.public})).findings

    assert finding.startswith(told)
    assert finding.endswith("is not there")


async def test_an_anchor_in_the_place_of_another_is_told(
    storage: AnchorStorage, folder: Path
) -> None:
    await written(storage, heads_of(a=1), heads_of(a=2), heads_of(a=3))
    names = [folder / "wsp_1" / f"{number:010d}.json" for number in (2, 3)]
    names[1].write_bytes(names[0].read_bytes())

    [finding] = (await read_anchors(storage, {KEY.public})).findings

    assert finding == "anchor 3 of wsp_1: it is anchor 2 of wsp_1"


async def test_an_anchor_that_another_was_replaced_by_does_not_follow(
    storage: AnchorStorage,
) -> None:
    """Signed with the right key: somebody who has it began anew."""
    await written(storage, heads_of(a=1))
    await storage.add(KEY.anchor("wsp_1", Before(1, b"x" * 32), heads_of(a=1, b=2), AT))

    [finding] = (await read_anchors(storage, {KEY.public})).findings

    assert finding == "anchor 2 of wsp_1: it does not follow on the one before it"


async def test_two_anchors_that_contradict_each_other_are_told(storage: AnchorStorage) -> None:
    await written(storage, heads_of(a=1), {"a": Head(1, b"x" * 32)})

    [finding] = (await read_anchors(storage, {KEY.public})).findings

    assert finding == "anchor 2 of wsp_1: an earlier one says otherwise of a"


async def test_anchoring_goes_on_behind_one_that_was_spoilt(
    storage: AnchorStorage, folder: Path
) -> None:
    await written(storage, heads_of(a=1))
    (folder / "wsp_1" / "0000000001.json").write_text("{")
    await written(storage, heads_of(a=2))

    anchored = await read_anchors(storage, {KEY.public})

    assert anchored.findings == ["anchor 1 of wsp_1: it is not readable"]
    assert anchored.heads == heads_of(a=2)


async def test_an_older_key_is_believed_when_it_is_named(storage: AnchorStorage) -> None:
    before = OTHER_KEY.anchor("wsp_1", Before(), heads_of(a=1), AT)
    await storage.add(before)
    await written(storage, heads_of(a=2))

    assert len((await read_anchors(storage, {KEY.public})).findings) == 1
    assert (await read_anchors(storage, {KEY.public, OTHER_KEY.public})).findings == []


async def test_a_storage_that_does_not_answer_is_away(storage: AnchorStorage, folder: Path) -> None:
    (folder / "wsp_1").write_text("a file where a folder should be")

    with pytest.raises(StorageAway):
        await storage.add(KEY.anchor("wsp_1", Before(), heads_of(a=1), AT))
