"""Whatever is done to a chain is found, and it is told which commit it was done to."""

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.eventstore.chain import Chain, Finding, Head
from libs.eventstore.codec import Document, from_document, to_document
from libs.eventstore.commits import GENESIS, hash_of
from tests.support.eventstore.builders import AT, chained

STREAM = "a"

# How many events each commit of the stream has.
sizes = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def documents_of(sizes: Sequence[int]) -> list[Document]:
    return [to_document(commit) for commit in chained(STREAM, sizes)]


def head_of(documents: Sequence[Document]) -> Head:
    return Head(documents[-1]["last"], documents[-1]["hash"])


def verify(documents: Sequence[Document], known: Head | None = None) -> list[Finding]:
    chain = Chain(STREAM, known)
    in_order = sorted(documents, key=lambda document: str(document["_id"]))
    findings = [finding for document in in_order for finding in chain.add(document)]
    return [*findings, *chain.finish()]


def told(findings: Sequence[Finding]) -> list[tuple[str, int, int]]:
    return [(finding.kind, finding.first, finding.last) for finding in findings]


def with_own_hash(document: Document, **change: Any) -> Document:
    """What somebody makes of a document who knows how hashes are made."""
    changed = from_document({**document, **change})
    return to_document(replace(changed, hash=hash_of(changed)))


def made_anew(documents: Sequence[Document], before: bytes) -> list[Document]:
    """The documents as a chain of their own that follows on `before`."""
    chain = []
    for document in documents:
        chain.append(with_own_hash(document, prev=before))
        before = chain[-1]["hash"]
    return chain


def continued(original: Sequence[Document], documents: Sequence[Document]) -> bool:
    """Whether nothing was done but to append: whoever may write can do that, with a proper hash."""
    links = pairwise(documents[len(original) - 1 :])
    return documents[: len(original)] == original and all(
        (after["first"], after["prev"]) == (before["last"] + 1, before["hash"])
        for before, after in links
    )


@given(sizes)
def test_an_untouched_chain_is_whole(sizes: Sequence[int]) -> None:
    documents = documents_of(sizes)
    assert verify(documents, head_of(documents)) == []


changes = st.sampled_from(
    [
        {"at": AT.replace(year=2024)},
        {"causes": ["another"]},
        {"events": [{"type": "test.noted.v1", "data": b"never said"}] * 4},
        {"events": [{"type": "test.noted.v1", "data": "a text"}]},
        {"public": [{"topic": "no message"}]},
        {"prev": b"p" * 32},
        {"prev": None},
        {"hash": b"h" * 32},
        {"hash": 7},
        {"last": 99},
        {"first": 99},
        {"stream": "b"},
        {"at": "yesterday"},
        {"events": None},
    ]
)


@given(sizes, st.data(), changes)
def test_an_altered_commit_is_named(
    sizes: Sequence[int], data: st.DataObject, change: dict[str, Any]
) -> None:
    documents = documents_of(sizes)
    at = data.draw(st.integers(0, len(documents) - 1))
    first = documents[at]["first"]
    documents[at] |= change

    [finding] = verify(documents)

    assert (finding.kind, finding.first) == ("altered", first)


@given(sizes, st.data(), st.sampled_from(["events", "public", "causes", "at", "prev"]))
def test_an_altered_commit_with_a_hash_made_anew_is_named(
    sizes: Sequence[int], data: st.DataObject, field: str
) -> None:
    """By the commit after it; of the last one the head has to be known from elsewhere."""
    documents = documents_of(sizes)
    at = data.draw(st.integers(0, len(documents) - 1))
    known, original = head_of(documents), documents[at]
    change = {
        "events": [{"type": "test.noted.v1", "data": b"never said"}] * sizes[at],
        "public": [],
        "causes": ["another"],
        "at": AT.replace(year=2024),
        "prev": b"p" * 32,
    }
    documents[at] = with_own_hash(original, **{field: change[field]})

    findings = told(verify(documents, known))

    if at < len(documents) - 1:
        assert findings == [("altered", original["first"], original["last"])]
    else:
        assert findings, "which of the last two it is, is not told where only their link is broken"


@given(sizes, st.data())
def test_removed_commits_are_named(sizes: Sequence[int], data: st.DataObject) -> None:
    documents = documents_of(sizes)
    known = head_of(documents)
    begin = data.draw(st.integers(0, len(documents) - 1))
    end = data.draw(st.integers(begin + 1, len(documents)))
    removed = documents[begin:end]
    del documents[begin:end]

    kind = "removed" if end < len(sizes) else "cut off"
    expected = [(kind, removed[0]["first"], removed[-1]["last"])]
    assert told(verify(documents, known)) == expected


@given(sizes, st.data(), st.booleans())
def test_an_inserted_commit_is_named(
    sizes: Sequence[int], data: st.DataObject, linked: bool
) -> None:
    """Between versions that are there: its place can only be inside another commit's."""
    documents = documents_of(sizes)
    long = [at for at, size in enumerate(sizes) if size > 1]
    assume(long)
    at = data.draw(st.sampled_from(long))
    first = documents[at]["first"] + data.draw(st.integers(1, sizes[at] - 1))
    prev = documents[at]["hash"] if linked else documents[at]["prev"]
    [commit] = chained(STREAM, [data.draw(st.integers(1, 9))], after=(first - 1, prev))
    documents.append(to_document(commit))

    assert told(verify(documents)) == [("inserted", first, commit.last)]


@given(sizes, st.data())
def test_a_commit_put_in_front_of_others_is_found(
    sizes: Sequence[int], data: st.DataObject
) -> None:
    """The versions after it are numbered again, and their hashes made anew, up to the end."""
    documents = documents_of(sizes)
    known = head_of(documents)
    at = data.draw(st.integers(0, len(documents) - 1))
    before, version = documents[at]["prev"], documents[at]["first"] - 1
    later = map(to_document, chained(STREAM, [1, *sizes[at:]], after=(version, before)))
    forged = made_anew([{**next(later), "causes": ["never"]}, *later], before)

    findings = verify([*documents[:at], *forged], known)

    assert findings
    assert all(finding.kind == "made anew" for finding in findings)


@given(sizes, st.data())
def test_a_chain_made_anew_is_found_by_its_known_head(
    sizes: Sequence[int], data: st.DataObject
) -> None:
    documents = documents_of(sizes)
    known = head_of(documents)
    at = data.draw(st.integers(0, len(documents) - 1))
    altered = {**documents[at], "causes": ["another"]}
    again = made_anew([altered, *documents[at + 1 :]], documents[at]["prev"])

    assert verify([*documents[:at], *again]) == [], "the chain alone does not show it"
    findings = verify([*documents[:at], *again], known)
    assert told(findings) == [("made anew", 1, known.version)]


_tamperings = st.lists(
    st.tuples(st.sampled_from(["alter", "forge", "remove", "copy", "swap"]), st.integers(0, 20)),
    min_size=1,
    max_size=4,
)


@given(sizes, _tamperings, st.booleans())
def test_whatever_is_done_is_found(
    sizes: Sequence[int], tamperings: Sequence[tuple[str, int]], rehash: bool
) -> None:
    original = documents_of(sizes)
    documents = deepcopy(original)
    for what, where in tamperings:
        if not documents:
            break
        at = where % len(documents)
        match what:
            case "alter":
                documents[at]["causes"] = ["another"]
            case "forge":
                documents[at] = with_own_hash(documents[at], events=[{"type": "t", "data": b"!"}])
            case "remove":
                del documents[at]
            case "copy":
                version = where + 1
                copy = {**documents[at], "_id": f"{STREAM}:{version:010d}", "first": version}
                documents = [d for d in documents if d["_id"] != copy["_id"]] + [copy]
            case "swap":
                other = documents[-1]
                documents[at]["events"], other["events"] = other["events"], documents[at]["events"]
    documents.sort(key=lambda document: str(document["_id"]))
    if rehash:
        documents = made_anew(documents, GENESIS)
    assume(not continued(original, documents))

    findings = verify(documents, head_of(original))

    assert findings, "something was done, and nothing was found"


@pytest.mark.parametrize("version", [1, 3])
def test_a_document_that_is_no_commit_is_one_finding(version: int) -> None:
    documents = documents_of([2, 1, 2])
    at = next(at for at, document in enumerate(documents) if document["first"] == version)
    documents[at] = {"_id": documents[at]["_id"]}

    assert told(verify(documents)) == [("altered", version, version)]


def test_a_finding_says_in_words_what_it_is() -> None:
    documents = documents_of([2, 1, 2])
    del documents[1]

    assert str(verify(documents)[0]) == "a 3 was removed: it is not there"
