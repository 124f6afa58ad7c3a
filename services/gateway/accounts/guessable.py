"""Passwords that are guessed first: what is left of one without the parts that everybody tries.

NIST SP 800-63B asks for a blocklist of what is common, repetitive, sequential, or told by the
context (the service, the person), and against rules about which kinds of characters to use.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

LEFT_AT_LEAST: Final = 6
DISTINCT_AT_LEAST: Final = 5
_CONTEXT_MIN_CHARACTERS: Final = 3
_RUN_AT_LEAST: Final = 3

# What lists of leaked passwords are made of, once digits and signs are taken off.
_WORDS: Final = """
password passwort passwd motdepasse contrasena senha parola haslo heslo пароль welcome willkommen
bienvenue letmein changeme default secret login signin admin administrator root user guest test
demo temp iloveyou loveyou love princess sunshine monkey dragon master shadow superman batman
pokemon football baseball soccer hockey liverpool chelsea arsenal michael jordan jessica ashley
daniel charlie thomas andrew samsung google facebook computer internet freedom whatever trustno
starwars hello killer summer winter spring autumn january february march april june july august
september october november december monday tuesday wednesday thursday friday saturday sunday
company office support manager привет любовь солнышко наташа максим кохання сонечко україна
украина ukraine kyiv kiev moscow київ киев добрый доброго parley inbox
"""
_COMMON: Final = tuple(_WORDS.split())
_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "йцукенгшщзхъї",
    "фывапролджэ",
    "фівапролджє",
    "ячсмитьбю",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
)
_LOOKALIKES: Final = str.maketrans("0134578@$!", "oieastbasi")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_REPEATED: Final = re.compile(r"(.{1,8}?)\1{2,}")
_TWICE: Final = re.compile(r"(.{3,})\1+")


def is_guessable(password: str, context: Iterable[str]) -> bool:
    """``context``: words that anybody who knows the person or the workspace would try."""
    text = "".join(unicodedata.normalize("NFKC", password).casefold().split())
    if len(set(text)) < DISTINCT_AT_LEAST:
        return True
    words = {*_COMMON, *_parts(context)}
    # As it is written, and with signs read as the letters that they look like.
    return any(_left(one, words) < LEFT_AT_LEAST for one in (text, text.translate(_LOOKALIKES)))


def _parts(context: Iterable[str]) -> Iterable[str]:
    for one in context:
        whole = unicodedata.normalize("NFKC", one).casefold()
        for part in (*re.split(r"[\W_]+", whole), *whole.split("@"), "".join(whole.split())):
            if len(part) >= _CONTEXT_MIN_CHARACTERS:
                yield part
                yield part[::-1]


def _left(text: str, words: Iterable[str]) -> int:
    """How many characters nobody would guess at once."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "\0")
    text = _REPEATED.sub(r"\1", _YEAR.sub("\0", text))
    text = _TWICE.sub(r"\1", text)
    return len(_without_runs(text).replace("\0", ""))


def _without_runs(text: str) -> str:
    """Without neighbours of an alphabet or a keyboard, forwards or backwards."""
    kept, at = [], 0
    while at < len(text):
        length = max(_run(text, at, line) for row in _RUNS for line in (row, row[::-1]))
        if length < _RUN_AT_LEAST:
            kept.append(text[at])
            length = 1
        at += length
    return "".join(kept)


def _run(text: str, at: int, line: str) -> int:
    begin = line.find(text[at])
    if begin < 0:
        return 0
    length = 1
    while (
        at + length < len(text)
        and begin + length < len(line)
        and text[at + length] == line[begin + length]
    ):
        length += 1
    return length
