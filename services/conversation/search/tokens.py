"""What a text is found by, and what a query looks for: tokens.

A token is the keyed hash, in 64 bits, of a workspace and a form: so the index is small, and neither
it nor a copy of the database tells anybody's words. A document has

* ``t``, which is indexed: each word's forms; of names and e-mail addresses the beginnings from two
  letters on; of the other words of five letters and more the first four; telephone numbers whole
  and by their last ten, nine and seven digits; a case's number;
* ``p``, by which is filtered: the beginnings of five to eight letters.

Beginnings of all lengths in the index would double its size and the cost of writing it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from services.conversation.search.words import (
    STOP_WORDS,
    WordForms,
    emails_of,
    normalised,
    phones_of,
    words_of,
)

_BYTES: Final = 8
_TEXT_BEGINNING: Final = 4
_NAME_BEGINNINGS: Final = range(2, 13)
_FILTERED_BEGINNINGS: Final = range(5, 9)
_PHONE_ENDS: Final = (10, 9, 7)
# More words than that say what a message is about; a wall of text must not fill the index.
_TOKENS_AT_MOST: Final = 400
_WORDS_ASKED_AT_MOST: Final = 8
_WORDS_KEPT: Final = 5_000


@dataclass(slots=True)
class Found:
    """What a document is found by: ``t`` is indexed, ``p`` is filtered by."""

    t: set[int] = field(default_factory=set)
    p: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A row has ``token`` in ``t``, and ``beginning`` in ``p`` where that is asked too."""

    token: int
    beginning: int | None = None

    def holds(self, t: Iterable[int], p: Iterable[int]) -> bool:
        return self.token in t and (self.beginning is None or self.beginning in p)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A word of the query: one of the alternatives has to hold. ``text`` is as it was written."""

    text: str
    alternatives: tuple[Alternative, ...]


class Tokens:
    """Of one workspace. ``key`` is the deployment's, for this use alone.

    The words of texts are the same few thousand again and again: the tokens of the latest are kept
    (about 2 MB), for hashing them was two thirds of the work of a message.
    """

    def __init__(self, key: bytes, workspace_id: str, forms: WordForms) -> None:
        self._hash = hashlib.blake2b(
            workspace_id.encode(), key=key[:64], digest_size=_BYTES, person=b"parley search"
        )
        self._forms = forms
        self._of_word = lru_cache(_WORDS_KEPT)(self._hashed)
        self._of_name = lru_cache(_WORDS_KEPT)(self._hashed_name)

    def of_text(self, text: str) -> Found:
        """Of a message or a note."""
        found = Found()
        plain = normalised(text)
        for form in self._contacts(plain):
            found.t.add(self._token(form))
        for word in words_of(plain):
            if word in STOP_WORDS or len(found.t) >= _TOKENS_AT_MOST:
                continue
            indexed, filtered = self._of_word(word)
            found.t.update(indexed)
            found.p.update(filtered)
        return found

    def of_names(self, names: Iterable[str]) -> Found:
        """Of what somebody or something is called: found from the second letter on."""
        found = Found()
        for name in names:
            plain = normalised(name)
            for form in self._contacts(plain):
                found.t.add(self._token(form))
            for word in (*words_of(plain), *emails_of(plain)):
                found.t.update(self._of_name(word))
        return found

    def _hashed(self, word: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What goes into ``t`` and into ``p`` for a word of a text."""
        indexed = [self._token(form) for form in self._forms.of(word)]
        if len(word) <= _TEXT_BEGINNING:
            return tuple(indexed), ()
        indexed.append(self._beginning(word[:_TEXT_BEGINNING]))
        sizes = (size for size in _FILTERED_BEGINNINGS if size <= len(word))
        return tuple(indexed), tuple(self._beginning(word[:size]) for size in sizes)

    def _hashed_name(self, word: str) -> tuple[int, ...]:
        """What goes into ``t`` for a word of a name."""
        forms = (self._token(form) for form in self._forms.of(word))
        beginnings = (self._beginning(word[:n]) for n in _NAME_BEGINNINGS if n <= len(word))
        return (*forms, *beginnings)

    def of_number(self, number: int) -> int:
        """Of a case's number in its workspace."""
        return self._token(f"#{number}")

    def wanted(self, query: str) -> list[Wanted]:
        """What a query looks for, at most so many words; the last may be the beginning of one."""
        plain = normalised(query)
        wanted = []
        contacts = list(self._contacts(plain, whole=True))
        for contact in contacts:
            wanted.append(Wanted(contact, (Alternative(self._token(contact)),)))
        if contacts:
            return wanted
        written = plain.split()
        words = [word for part in written for word in words_of(part)]
        telling = [word for word in words if word not in STOP_WORDS] or words
        for word in telling[:_WORDS_ASKED_AT_MOST]:
            last = word == words[-1] or f"{word}*" in plain
            wanted.append(Wanted(word, tuple(self._alternatives(word, f"#{word}" in plain, last))))
        return wanted

    def _alternatives(
        self, word: str, number_only: bool, unfinished: bool
    ) -> Iterator[Alternative]:
        if word.isdecimal():
            yield Alternative(self._token(f"#{int(word)}"))
            if number_only:
                return
        for form in self._forms.of(word):
            yield Alternative(self._token(form))
        if not unfinished or len(word) < _NAME_BEGINNINGS.start:
            return
        # A name of these letters: the indexed beginnings; a text's, from the fourth letter on.
        yield Alternative(self._beginning(word[: _NAME_BEGINNINGS.stop - 1]))
        if len(word) > _TEXT_BEGINNING:
            longest = word[: _FILTERED_BEGINNINGS.stop - 1]
            yield Alternative(self._beginning(word[:_TEXT_BEGINNING]), self._beginning(longest))

    def _contacts(self, plain: str, *, whole: bool = False) -> Iterator[str]:
        """E-mail addresses and telephone numbers. ``whole``: as they are asked for."""
        yield from (f"@{email}" for email in emails_of(plain))
        for phone in phones_of(plain):
            yield f"+{phone}"
            if not whole:
                yield from (f"+{phone[-size:]}" for size in _PHONE_ENDS if size < len(phone))

    def _beginning(self, letters: str) -> int:
        return self._token(f"^{letters}")

    def _token(self, form: str) -> int:
        hashed = self._hash.copy()
        hashed.update(f"\0{form}".encode())
        return int.from_bytes(hashed.digest(), "big", signed=True)


def united(parts: Sequence[Found]) -> Found:
    return Found(
        {one for part in parts for one in part.t}, {one for part in parts for one in part.p}
    )
