"""What may stand in a header: media types, the names of files, a trace.

What a platform or a client says of a file becomes a header when somebody downloads it, so it has to
be one whoever said it, and however long ago.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

ANY_TYPE: Final = "application/octet-stream"
# As many bytes as most file systems take, and few enough for a header, each as three of ``%XX``.
FILE_NAME_MAX_BYTES: Final = 255
# RFC 6838, 4.2: of each of the two names at most so many characters.
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,127}"
_MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}")
_ENDING: Final = re.compile(r"\.[^.\s]{1,20}\Z")
_NOT_IN_A_NAME: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners hold letters and emoji together.
_JOINERS: Final = frozenset("\u200c\u200d")


def media_type_of(told: str | None, otherwise: str = ANY_TYPE) -> str:
    """The type without its parameters; ``otherwise`` where it is none (RFC 9110, 8.3.1)."""
    bare = (told or "").partition(";")[0].strip()
    return bare.lower() if _MEDIA_TYPE.fullmatch(bare) else otherwise


def file_name_of(told: str | None) -> str | None:
    """One line that can be shown and saved under, its ending kept where it is too long; None where
    nothing is left."""
    shown = "".join(
        one
        for one in told or ""
        if one in _JOINERS or unicodedata.category(one) not in _NOT_IN_A_NAME
    ).strip()
    if not shown:
        return None
    if len(shown.encode()) <= FILE_NAME_MAX_BYTES:
        return shown
    ending = match[0] if (match := _ENDING.search(shown)) else ""
    stem = shown.removesuffix(ending).encode()[: FILE_NAME_MAX_BYTES - len(ending.encode())]
    return stem.decode(errors="ignore").rstrip() + ending


def disposition(way: str, told: str | None, otherwise: str) -> str:
    """``Content-Disposition`` (RFC 6266): the name for clients that read RFC 8187, and beside it
    what can be said in ASCII."""
    name = file_name_of(told) or otherwise
    plain = "".join(
        one if one.isascii() and one.isprintable() and one not in '"\\%' else "_" for one in name
    )
    return f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def ascii_of(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> dict[str, str]:
    """Those headers that are ASCII, as they have to be; of several, the last."""
    return {
        name.decode(): value.decode()
        for name, value in headers
        if name in names and value.isascii()
    }
