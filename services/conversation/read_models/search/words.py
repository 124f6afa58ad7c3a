"""Words of Russian, Ukrainian and English text, brought to the form under which they are found.

A Cyrillic word stands under its dictionary forms in both languages, because a word's spelling does
not say which of the two it is: «купила» is купить and купити. One that neither dictionary knows, a
brand or a nickname, stands under its Russian stem. The dictionaries take 45 MB; words are kept once
they were looked up, because looking one up costs about 0.3 ms and most texts use the same ones.
"""

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from threading import Lock
from typing import Final, NamedTuple

import pymorphy3
import snowballstemmer
from pymorphy3.units import DictionaryAnalyzer

from services.conversation.read_models.search.spelling import normalised

_KEPT: Final = 20_000
_FORMS_AT_MOST: Final = 4
_LONGEST: Final = 60
# How many digits a number has where one dials 8 before the ten of the place and the subscriber.
_WITH_TRUNK_8: Final = 11

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# It begins where such letters do, and no address has more before its @ (RFC 5321, 4.5.3.1.1):
# tried at each letter of a run, a long one would take its length squared.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_HANDLE = re.compile(r"(?<![\w@.+-])@([a-z0-9_]{2,32})(?![\w@])")
_UNDERSCORED = re.compile(r"(?<![\w@.+-])[a-z0-9]+_[a-z0-9_]*(?![\w@])")
_DASHES: Final = r"\u2010-\u2015\u2212-"
# Between digits of one number; not the end of a line, where the next number begins.
_BETWEEN: Final = rf"(?:[^\S\n]|[()./{_DASHES}]){{0,3}}"
_PHONE = re.compile(rf"(?:\+|(?<![\w+]))\d(?:{_BETWEEN}\d){{6,17}}(?!\w)")
# Fewer digits in several groups, such as (050) 12: a part of a number, or so many words.
_GROUPS = re.compile(rf"(?:\+|(?<![\w+#]))\d(?:{_BETWEEN}\d){{3,5}}(?!\w)")
_NUMBERED = re.compile(r"#\s?(\d{1,18})(?!\w)")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
# Words that nearly every text has; nobody finds anything by them.
STOP_WORDS: Final = frozenset(
    word
    for line in (
        "a about after again all also am an and any are as at be because been before being but by",
        "can can't could did didn't do does doesn't don't for from get had has have he her here",
        "him his how i i'd i'll i'm i've if in into is isn't it it's its just let me more most my",
        "no not now of on only or other our out over own please she should so some still such",
        "than that that's the their them then there these they this those to too up us very was",
        "wasn't we we're were what what's when where which while who why will with won't would",
        "yet you you're your yours",
        "а без бы был была были было быть в вам вами вас ваш ваша ваше ваши весь во вот все всего",
        "всех вы где да даже для до его ее ей ему если есть еще же за здесь и из или им ими их к",
        "как какая какие какой ко когда которая которые который кто куда ли либо мне может мой",
        "моя мы на над нам нас наш наша наши не него нее нет ни них но ну о об однако он она они",
        "оно от очень по под пожалуйста после потом почему при про с сам себя со так также такой",
        "там тебя то тогда того тоже только том тот ты у уже хотя чего чем что чтобы эта эти это",
        "этого этот я",
        "або але без би бо був була були було бути в вам вами вас ваш ваша ваше ваші вже ви вона",
        "вони воно все всі від він де для до дуже ж з за зі й його йому коли ли лише мене мені ми",
        "може моя мій на навіть над нам нас наш наша наші не немає неї них ну ні однак от по",
        "потім при про під після с саме себе так також там те теж ти то тоді той тому тут тільки",
        "у хоча хто це цей ця ці чи чим чого чому що щоб щодо я як яка який якщо які є і із їй їм",
        "їх її",
    )
    for word in line.split()
)


def words_of(text: str) -> Iterator[str]:
    """The words of a normalised text, long ones (a key, a link's tail) cut."""
    return (match[0][:_LONGEST] for match in _WORD.finditer(text))


def emails_of(text: str) -> list[str]:
    return _EMAIL.findall(text)


def handles_of(text: str) -> list[str]:
    """What stands after an @ by itself: what somebody is called on a platform."""
    return _HANDLE.findall(text)


def underscored_of(text: str) -> list[str]:
    """What may be such a name, written without its @."""
    return _UNDERSCORED.findall(text)


def numbered_of(text: str) -> list[int]:
    """Numbers that are written as such: #12, №12."""
    return [int(digits) for digits in _NUMBERED.findall(text)]


class Phone(NamedTuple):
    """What looks like a telephone number. ``digits`` are without the 00 of a call abroad;
    ``local``, of one without its country: those after the digit that is dialled before it."""

    written: str
    digits: str
    local: str | None = None


def phones_in(text: str) -> Iterator[Phone]:
    return (_phone(match[0]) for match in _PHONE.finditer(text))


def phones_of(text: str) -> list[str]:
    """The digits of what looks like a telephone number."""
    return [phone.digits for phone in phones_in(text)]


def groups_in(text: str) -> Iterator[Phone]:
    """Four digits and more that are too few for a number, in groups."""
    return (_phone(match[0]) for match in _GROUPS.finditer(text) if not match[0].isdecimal())


def _phone(written: str) -> Phone:
    digits = "".join(filter(str.isdecimal, written))
    if written.startswith("+"):
        return Phone(written, digits)
    if digits.startswith("00"):
        return Phone(written, digits[2:])
    if digits.startswith("0"):
        return Phone(written, digits, digits[1:])
    if len(digits) == _WITH_TRUNK_8 and digits.startswith("8"):
        return Phone(written, digits, digits[1:])
    return Phone(written, digits, digits if len(digits) < _WITH_TRUNK_8 else None)


@lru_cache(1)
def word_forms() -> "WordForms":
    """The process's own: two would need twice the memory."""
    return WordForms()


class WordForms:
    """Looks words up; the dictionaries are read when they are first needed, in about a second.

    Threads may ask side by side: messages are looked up in one while somebody searches in another.
    """

    def __init__(self) -> None:
        self.of = lru_cache(_KEPT)(self._forms)
        self._stemming = Lock()
        self._reading = Lock()

    def _forms(self, word: str) -> tuple[str, ...]:
        """Under which forms a normalised word stands; at least one."""
        if word.isdecimal():
            return (word,)
        if not _CYRILLIC.search(word):
            return (self._stem(self._english, word),)
        known = dict.fromkeys(
            normalised(form)
            for dictionary in self._dictionaries
            for form in dictionary.normal_forms(word)
        )
        return tuple(known)[:_FORMS_AT_MOST] or (self._stem(self._russian, word),)

    def _stem(self, stemmer: snowballstemmer.stemmer, word: str) -> str:
        # A stemmer keeps the word that it works on in itself.
        with self._stemming:
            stem: str = stemmer.stemWord(word)
        return stem

    @property
    def _dictionaries(self) -> tuple[pymorphy3.MorphAnalyzer, ...]:
        # Each who came while they are read would read them too, and 230 MB stay instead of 40.
        with self._reading:
            return self._read

    @cached_property
    def _read(self) -> tuple[pymorphy3.MorphAnalyzer, ...]:
        # Only what is in the dictionary: a guess at the form of an unknown word is often wrong.
        return tuple(
            pymorphy3.MorphAnalyzer(
                lang=language, units=[DictionaryAnalyzer()], probability_estimator_cls=None
            )
            for language in ("ru", "uk")
        )

    @cached_property
    def _english(self) -> snowballstemmer.stemmer:
        return snowballstemmer.stemmer("english")

    @cached_property
    def _russian(self) -> snowballstemmer.stemmer:
        return snowballstemmer.stemmer("russian")
