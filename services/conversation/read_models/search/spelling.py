"""One spelling of what people write in many: what looks the same is found as the same."""

import re
import unicodedata
from typing import Final

# Before anything else: to Unicode ´ is a blank with an accent, and № is the word No.
_ONE_FOR_MANY: Final = {
    **dict.fromkeys("’‘‛`´ʹʻʼʽˈˊˋ΄՚׳᾽᾿῾′‵ꞌ＇´`", "'"),
    **dict.fromkeys("№＃", "#"),
}
# What takes no room, nor tells words apart: soft hyphens, joiners, marks of direction, fillers.
_NOTHING: Final = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xE0000, 0xE0080),
    *range(0xE0100, 0xE01F0),
)
_WRITTEN: Final = str.maketrans({**_ONE_FOR_MANY, **{chr(number): None for number in _NOTHING}})
# Most texts are of these alone, which have no more than one spelling beside the translated.
_UNUSUAL = re.compile(r"[^\x00-\x7f\u0401-\u045f\u0490\u0491«»–—’№„“”]")
_USUAL: Final = str.maketrans("ё\u0450\u045dѓќ’`№", "ее\u0438гк''#")
_MARKS: Final = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_CYRILLIC: Final = r"\u0400-\u04ff"
# Letters of their own are й, ї and ў; every other mark is a stress, or what one language adds.
_LETTER_MARKS = re.compile(
    rf"(?P<letter>и\u0306|і\u0308|у\u0306)|(?<=[{_CYRILLIC}])i\u0308|i\u0308(?=[{_CYRILLIC}])"
    rf"|(?P<mark>{_MARKS})"
)
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
# об"єкт: the key of the apostrophe is hard to find on a Russian keyboard.
_QUOTE_FOR_APOSTROPHE = re.compile(r"(?<=[бпвмфрктдзсжшч])[\"”“*](?=[яюєї])")
_ADJACENT = re.compile(rf"[a-z][{_CYRILLIC}]|[{_CYRILLIC}][a-z]")
_WORD = re.compile(r"[^\W_]+")
_LATIN: Final = "abcehijkmopstxy"
_ALIKE: Final = "авсен\u0456јкморѕтху"
_TO_CYRILLIC: Final = str.maketrans(_LATIN, _ALIKE)
_TO_LATIN: Final = str.maketrans(_ALIKE, _LATIN)


def normalised(text: str) -> str:
    """Compared without case, width, accents, what cannot be seen, and the spelling of apostrophes,
    of № and of ё; letters that only look like those of the word's script are that script's."""
    if text.isascii():
        return text.casefold().replace("`", "'")
    is_usual = _UNUSUAL.search(text) is None
    plain = text.casefold().translate(_USUAL) if is_usual else _unusual(text)
    plain = _QUOTE_FOR_APOSTROPHE.sub("'", plain)
    return _WORD.sub(_of_one_script, plain) if _ADJACENT.search(plain) else plain


def _unusual(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_WRITTEN)).casefold()
    plain = unicodedata.normalize("NFKC", _LETTER_MARKS.sub(_letter, plain).translate(_WRITTEN))
    return _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0], digit[0])), plain)


def other_script(word: str) -> str | None:
    """How a normalised word reads in the other script, where all its letters are in both: the
    Cyrillic рот for the Latin pot."""
    letters = set(filter(str.isalpha, word))
    if not letters:
        return None
    if letters.issubset(_LATIN):
        return word.translate(_TO_CYRILLIC)
    return word.translate(_TO_LATIN) if letters.issubset(_ALIKE) else None


def _letter(match: re.Match[str]) -> str:
    if match["mark"]:
        return ""
    return match["letter"] or "і\u0308"


def _of_one_script(match: re.Match[str]) -> str:
    word = match[0]
    latin = {letter for letter in word if "a" <= letter <= "z"}
    cyrillic = {letter for letter in word if "\u0400" <= letter <= "\u04ff"}
    if not latin or not cyrillic:
        return word
    to_cyrillic, to_latin = latin.issubset(_LATIN), cyrillic.issubset(_ALIKE)
    if to_cyrillic and to_latin:
        to_cyrillic = sum(one in latin for one in word) <= sum(one in cyrillic for one in word)
    if to_cyrillic:
        return word.translate(_TO_CYRILLIC)
    return word.translate(_TO_LATIN) if to_latin else word
