"""The language that a request is answered in.

It is the caller's: the first of theirs (``Accept-Language``) that Parley speaks, else the member's
own in the directory, else that of their workspace. A context variable, as every request is a task
of its own: what is said deep inside is said in the right language, and nothing has to be handed
through.
"""

from contextvars import ContextVar
from functools import lru_cache
from typing import Final, get_args

from libs.events.api.directory import Language

HEADER: Final = "accept-language"
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
FALLBACK: Final[Language] = "en"

_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)


def listen(accept_language: str) -> None:
    """From now on the caller is answered in the language they ask for, if it is one of ours."""
    _spoken.set(preferred(accept_language))


def default_to(language: Language | None) -> None:
    """The language of a caller who asked for none."""
    if language is not None and _spoken.get() is None:
        _spoken.set(language)


def spoken() -> Language:
    return _spoken.get() or FALLBACK


@lru_cache(256)
def preferred(accept_language: str) -> Language | None:
    """The best of ours by an ``Accept-Language`` header (RFC 9110, 12.5.4); None for none."""
    best, weight = None, 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().partition(";")
        found = next((one for one in LANGUAGES if one == tag.strip().lower().split("-")[0]), None)
        given = _weight(parameter)
        if found is not None and given > weight:
            best, weight = found, given
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
