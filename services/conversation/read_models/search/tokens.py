"""What a text is found by, and what a query looks for: tokens.

A token is the keyed hash, in 64 bits, of a workspace and a form: so the index is small, and neither
it nor a copy of the database tells anybody's words. A document has

* ``t``, which is indexed: each word's forms; of names, e-mail addresses and names on platforms the
  beginnings from two letters on; of the other words of five letters and more the first four; of
  telephone numbers any four digits in a row, and the end of one without its country; a case's
  number;
* ``p``, by which is filtered: the beginnings of five to eight letters; five and more digits in a
  row of telephone numbers.

Beginnings of all lengths in the index would double its size and the cost of writing it. ``VERSION``
is another one whenever a document gets other tokens than before: see ``rebuild/renewal.py``.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final

from services.conversation.read_models.search.spelling import normalised, other_script
from services.conversation.read_models.search.words import (
    STOP_WORDS,
    Phone,
    WordForms,
    emails_of,
    groups_in,
    handles_of,
    numbered_of,
    phones_in,
    underscored_of,
    words_of,
)

VERSION: Final = 3

_BYTES: Final = 8
_TEXT_BEGINNING: Final = 4
_NAME_BEGINNINGS: Final = range(2, 13)
_FILTERED_BEGINNINGS: Final = range(5, 9)
_HANDLE_BEGINNINGS: Final = range(2, 13)
_PHONE_PART: Final = 4
_PHONE_PARTS: Final = range(5, 16)
# The digits of the place and the subscriber: in most countries nine or ten, in small ones eight.
_PHONE_ENDS: Final = (9, 8)
# Case numbers are short: a longer number behind # is somebody else's too.
_CASE_NUMBER_ALONE: Final = 3
# More words than that say what a message is about; a wall of text must not fill the index.
_TOKENS_AT_MOST: Final = 400
_CONTACTS_AT_MOST: Final = 10
_WORDS_ASKED_AT_MOST: Final = 8
_WORDS_KEPT: Final = 5_000


@dataclass(slots=True)
class Found:
    """What a document is found by: ``t`` is indexed, ``p`` is filtered by."""

    t: set[int] = field(default_factory=set)
    p: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A row has ``token`` and the ``others`` in ``t``, and ``beginning`` in ``p`` where that is
    asked too."""

    token: int
    beginning: int | None = None
    others: tuple[int, ...] = ()

    def holds(self, t: Collection[int], p: Collection[int]) -> bool:
        if self.beginning is not None and self.beginning not in p:
            return False
        return self.token in t and all(one in t for one in self.others)


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
        self._add_contacts(found, plain)
        for word in words_of(plain):
            if len(found.t) >= _TOKENS_AT_MOST:
                break
            if word in STOP_WORDS:
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
            self._add_contacts(found, plain)
            for word in (*words_of(plain), *emails_of(plain)[:_CONTACTS_AT_MOST]):
                if len(found.t) >= _TOKENS_AT_MOST:
                    break
                found.t.update(self._of_name(word))
        return found

    def of_username(self, username: str) -> Found:
        """Of what a platform calls somebody, with an @ or without."""
        plain = normalised(username).removeprefix("@")
        found = self.of_names([plain])
        found.t.add(self._token(f"@@{plain}"))
        sizes = (size for size in _HANDLE_BEGINNINGS if size <= len(plain))
        found.t.update(self._beginning(f"@{plain[:size]}") for size in sizes)
        return found

    def _add_contacts(self, found: Found, plain: str) -> None:
        """E-mail addresses, names on platforms, telephone numbers, numbers of anything."""
        forms = [f"@{email}" for email in emails_of(plain)[:_CONTACTS_AT_MOST]]
        if "@" in plain:
            forms += [f"@@{handle}" for handle in handles_of(plain)[:_CONTACTS_AT_MOST]]
        if "#" in plain:
            forms += [f"##{number}" for number in numbered_of(plain)[:_CONTACTS_AT_MOST]]
        for phone in islice(phones_in(plain), _CONTACTS_AT_MOST):
            digits = phone.digits
            forms += [f"~{part}" for part in _parts(digits, _PHONE_PART)]
            found.p.update(
                self._token(f"~{part}") for size in _PHONE_PARTS for part in _parts(digits, size)
            )
            if (local := phone.local) is not None and len(local) >= _PHONE_ENDS[-1]:
                forms.append(f"={local[-_PHONE_ENDS[0] :]}")
        found.t.update(map(self._token, forms))

    def _hashed(self, word: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What goes into ``t`` and into ``p`` for a word of a text."""
        indexed: list[int] = []
        filtered: list[int] = []
        for spelt in _spellings(word):
            indexed += (self._token(form) for form in self._forms.of(spelt))
            if len(spelt) > _TEXT_BEGINNING:
                indexed.append(self._beginning(spelt[:_TEXT_BEGINNING]))
                sizes = (size for size in _FILTERED_BEGINNINGS if size <= len(spelt))
                filtered += (self._beginning(spelt[:size]) for size in sizes)
        return tuple(indexed), tuple(filtered)

    def _hashed_name(self, word: str) -> tuple[int, ...]:
        """What goes into ``t`` for a word of a name."""
        indexed: list[int] = []
        for spelt in _spellings(word):
            indexed += (self._token(form) for form in self._forms.of(spelt))
            sizes = (size for size in _NAME_BEGINNINGS if size <= len(spelt))
            indexed += (self._beginning(spelt[:size]) for size in sizes)
        return tuple(indexed)

    def of_number(self, number: int) -> int:
        """Of a case's number in its workspace."""
        return self._token(f"#{number}")

    def hidden(self, name: str) -> str:
        """A name for a row that tells nobody the one given."""
        return f"{self._token(name) & 2**64 - 1:016x}"

    def wanted(self, query: str) -> list[Wanted]:
        """What a query looks for, at most so many words; the last may be the beginning of one."""
        plain = normalised(query).replace("tel:", " ").replace("mailto:", " ")
        wanted = []
        for email in emails_of(plain):
            wanted.append(Wanted(email, (Alternative(self._token(f"@{email}")),)))
            plain = plain.replace(email, " ")
        for handle in handles_of(plain):
            wanted.append(Wanted(handle, tuple(self._handle(handle))))
            plain = plain.replace(f"@{handle}", " ")
        for name in underscored_of(plain):
            either = (*self._handle(name), self._all_of(list(words_of(name))))
            wanted.append(Wanted(name, either))
            plain = plain.replace(name, " ")
        for found in (phones_in, groups_in):
            for phone in found(plain):
                wanted.append(Wanted(phone.digits, tuple(self._phone(phone))))
                plain = plain.replace(phone.written, " ")
        words = list(words_of(plain))
        for word in (_distinctive(words) or ([] if wanted else words))[:_WORDS_ASKED_AT_MOST]:
            last = word == words[-1] or f"{word}*" in plain
            wanted.append(Wanted(word, tuple(self._alternatives(word, f"#{word}" in plain, last))))
        return wanted[:_WORDS_ASKED_AT_MOST]

    def _alternatives(
        self, word: str, number_only: bool, unfinished: bool
    ) -> Iterator[Alternative]:
        if word.isdecimal():
            yield Alternative(self._token(f"#{int(word)}"))
            if number_only:
                yield Alternative(self._token(f"##{int(word)}"))
                if len(word) <= _CASE_NUMBER_ALONE:
                    return
            yield from self._phone_parts(word)
        other = other_script(word)
        for reading in (*_spellings(word), *([] if other is None else [other])):
            for form in self._forms.of(reading):
                yield Alternative(self._token(form))
            if not unfinished or len(word) < _NAME_BEGINNINGS.start:
                continue
            # A name of these letters: the indexed beginnings; a text's, from the fourth letter on.
            yield Alternative(self._beginning(reading[: _NAME_BEGINNINGS.stop - 1]))
            if len(word) > _TEXT_BEGINNING:
                longest = reading[: _FILTERED_BEGINNINGS.stop - 1]
                yield Alternative(
                    self._beginning(reading[:_TEXT_BEGINNING]), self._beginning(longest)
                )

    def _handle(self, handle: str) -> Iterator[Alternative]:
        yield Alternative(self._token(f"@@{handle}"))
        yield Alternative(self._beginning(f"@{handle[: _HANDLE_BEGINNINGS.stop - 1]}"))

    def _phone(self, phone: Phone) -> Iterator[Alternative]:
        """The number by any spelling, a part of one, or the words that the digits may be."""
        yield from self._phone_parts(phone.digits)
        if phone.local is not None:
            if phone.local != phone.digits:
                yield from self._phone_parts(phone.local)
        elif len(phone.digits) > _PHONE_ENDS[0]:
            # Of one that was written without its country.
            yield from (
                Alternative(self._token(f"={phone.digits[-size:]}")) for size in _PHONE_ENDS
            )
        words = list(words_of(phone.written))
        if len(words) == 1:
            yield Alternative(self._token(f"#{int(words[0])}"))
        yield self._all_of(words)

    def _all_of(self, words: Sequence[str]) -> Alternative:
        first, *others = (self._token(self._forms.of(word)[0]) for word in words)
        return Alternative(first, others=tuple(others))

    def _phone_parts(self, digits: str) -> Iterator[Alternative]:
        if len(digits) < _PHONE_PART:
            return
        whole = digits[: _PHONE_PARTS.stop - 1]
        part = self._token(f"~{whole}") if len(whole) > _PHONE_PART else None
        yield Alternative(self._token(f"~{digits[:_PHONE_PART]}"), part)

    def _beginning(self, letters: str) -> int:
        return self._token(f"^{letters}")

    def _token(self, form: str) -> int:
        hashed = self._hash.copy()
        hashed.update(f"\0{form}".encode())
        return int.from_bytes(hashed.digest(), "big", signed=True)


def is_common(query: str) -> bool:
    """Whether there are words in the query, and nearly every text has all of them."""
    words = list(words_of(normalised(query)))
    return bool(words) and not _distinctive(words)


def _distinctive(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in STOP_WORDS]


def _spellings(word: str) -> tuple[str, ...]:
    """The word and, where it has an apostrophe, as it is written by who leaves it out."""
    return (word, word.replace("'", "")) if "'" in word else (word,)


def _parts(digits: str, size: int) -> Iterator[str]:
    return (digits[at : at + size] for at in range(len(digits) - size + 1))


def united(parts: Sequence[Found]) -> Found:
    return Found(
        {one for part in parts for one in part.t}, {one for part in parts for one in part.p}
    )
