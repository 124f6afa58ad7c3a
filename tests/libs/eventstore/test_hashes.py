"""What a commit's hash is over."""

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from libs.eventstore.codec import from_document, to_document
from libs.eventstore.commits import GENESIS, Commit, StoredEvent, hash_of
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import AT, commit_of, message_of


def test_anybody_can_make_the_hash() -> None:
    """A hash that is stored is for ever: another one here means that the encoding has changed."""
    commit = commit_of("a")
    time = "2025-11-02T10:41:07.123456+00:00"
    headers = {"ce_workspace": "w1"}
    written = msgspec.msgpack.encode(
        [
            GENESIS, "a", 1, ["cause-of-1"], 1_762_080_067_123, [["test.noted.v1", b"a 1"]],
            [["test.topic", "test.noted.v1", "a-1", "a", "a", 1, time, headers,
              b'{"text": "hello"}']],
        ]
    )  # fmt: skip

    assert commit.hash == hashlib.sha256(written).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"prev": b"p" * 32},
        {"stream": "b"},
        {"first": 2},
        {"causes": ("cause", "-of-1")},
        {"recorded_at": AT + timedelta(milliseconds=1)},
        {"events": (StoredEvent("test.noted.v2", b"a 1"),)},
        {"events": (StoredEvent("test.noted.v1", b"a 2"),)},
        {"events": (StoredEvent("test.noted.v1a", b" 1"),)},
        {"events": (StoredEvent("test.noted.v1", b"a 1"),) * 2},
        {"public": ()},
        {"public": (replace(message_of("a", 1), headers={"ce_workspace": "w2"}),)},
        {"public": (replace(message_of("a", 1), time=AT + timedelta(microseconds=1)),)},
    ],
)
def test_every_part_of_a_commit_counts(change: dict[str, Any]) -> None:
    commit = commit_of("a")
    assert hash_of(replace(commit, **change)) != commit.hash


def test_the_mark_does_not_count_and_headers_have_no_order() -> None:
    commit = commit_of("a")
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    with_one, with_other = (
        hash_of(replace(commit, public=(replace(message_of("a", 1), headers=headers),)))
        for headers in (one, other)
    )

    assert hash_of(replace(commit, pending=False)) == commit.hash
    assert with_one == with_other


def test_a_stored_hash_is_read_as_it_is() -> None:
    document = to_document(commit_of("a")) | {"hash": b"h" * 32}
    assert from_document(document).hash == b"h" * 32
    del document["hash"], document["prev"]
    assert from_document(document).hash not in (b"", hash_of(commit_of("a")))


def test_a_new_commit_has_to_know_what_it_follows_on() -> None:
    with pytest.raises(ValueError, match="does not know what it follows on"):
        Commit("a", 2, ("c",), AT, (StoredEvent("t", b""),), prev=b"")


@pytest.mark.servers
async def test_what_was_appended_is_loaded_with_its_hash(store: AsyncEventStore) -> None:
    first = commit_of("a")
    second = replace(commit_of("a", 2), prev=first.hash, hash=b"")
    for commit in (first, second):
        await store.append([commit])

    loaded = (await store.load({"a": 0}))["a"]

    assert [(c.prev, c.hash) for c in loaded] == [
        (GENESIS, first.hash),
        (first.hash, hash_of(second)),
    ]
