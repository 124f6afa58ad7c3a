"""Names and texts that people write: one form of each, and what is blank.

Two names that look alike are one name: composed (NFC, UAX #15), without what no font shows, with
single blanks. What a person says is kept as they say it, composed, without control characters.
"""

import re
import unicodedata
from typing import Final

# What is there and never seen: the Default_Ignorable_Code_Points of Unicode 15, but for those that
# hold letters and emoji together; and the marks that turn the direction of what follows them.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_JOINERS: Final = "\u200c\u200d\ufe00-\ufe0f"
# They do nothing after a letter of Latin, Greek or Cyrillic, after a blank, or at the end.
_LOOSE_JOINERS: Final = re.compile(
    rf"(?<![\u0590-\U0010ffff])[{_JOINERS}]+|(?<=\s)[{_JOINERS}]+|[\u200c\u200d]+(?=\s|\Z)"
)
# With the empty cell of Braille.
_BLANKS: Final = re.compile("[\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]+")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_NOT_SEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})


class NotValid(Exception):
    """A value that is refused: the text ``invalid.<key>``. ``path`` is where it stands."""

    def __init__(self, key: str, **variables: str | int) -> None:
        super().__init__(key)
        self.key = key
        self.variables = variables
        self.path: tuple[str, ...] = ()


def is_blank(text: str) -> bool:
    """Whether nothing of it is seen, whatever it is made of."""
    return not any(
        unicodedata.category(one) not in _NOT_SEEN
        for one in re.sub(f"[{_JOINERS}\u2800]", "", _UNSEEN.sub("", text))
    )


def line_of(text: str) -> str:
    """One line, such as a name; empty where it is blank. What cannot be in a line stays in it."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    seen = _BLANKS.sub(" ", _UNSEEN.sub("", text))
    joined = _LOOSE_JOINERS.sub("", unicodedata.normalize("NFC", seen))
    return "" if is_blank(joined) else _BLANKS.sub(" ", joined).strip()


def is_line(text: str) -> bool:
    """Whether there is no control character and no line break in it."""
    return not any(unicodedata.category(one) in _NOT_IN_A_LINE for one in text)


def checked_line(text: str) -> str:
    """A line; it may be empty. Errors: NotValid."""
    line = line_of(text)
    if not is_line(line):
        raise NotValid("unprintable")
    return line


def checked_name(text: str) -> str:
    """A line that says something. Errors: NotValid."""
    name = checked_line(text)
    if not name:
        raise NotValid("empty")
    return name


def text_of(text: str) -> str:
    """What a person writes, of any number of lines; empty where it is blank."""
    if text.isascii() and text.isprintable():
        return "" if text.isspace() else text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    said = unicodedata.normalize("NFC", _CONTROLS.sub("", lines))
    return "" if is_blank(said) else said


def without_nul(text: str) -> str:
    """Any other text, such as an id or a password, as it is. Errors: NotValid."""
    if "\x00" in text:
        raise NotValid("unprintable")
    return text
