"""What a name, an e-mail address, a time zone and an origin are."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from libs.events.words import NotValid, checked_name, line_of
from libs.events.zones import ZONES
from services.routing.domain.errors import InvalidValue

NAME_MAX_CHARACTERS: Final = 200
EMAIL_MAX_CHARACTERS: Final = 254  # RFC 5321, section 4.5.3.1.3, without the angle brackets
LIST_MAX_ITEMS: Final = 500

_LOCAL_PART: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\U0010ffff]{1,64}"
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL: Final = re.compile(rf"{_LOCAL_PART}@{_LABEL}(?:\.{_LABEL})+")
# A host as a browser sends it: lower case, international names in punycode.
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def name_of(field: str, text: str) -> str:
    """In its one form. Errors: InvalidValue."""
    try:
        name = checked_name(text)
    except NotValid as error:
        raise InvalidValue(field, error.key) from error
    if len(name) > NAME_MAX_CHARACTERS:
        raise InvalidValue(field, "too-long", count=NAME_MAX_CHARACTERS)
    return name


def email_of(field: str, text: str) -> str:
    """As it was written, without the blanks around it. Errors: InvalidValue."""
    email = line_of(text)
    if len(email) > EMAIL_MAX_CHARACTERS or _EMAIL.fullmatch(email) is None or ".." in email:
        raise InvalidValue(field, "not-email")
    return email


def time_zone_of(field: str, name: str) -> str:
    """Errors: InvalidValue (the IANA database does not have it)."""
    if name not in ZONES:
        raise InvalidValue(field, "not-a-time-zone")
    return name


def distinct(field: str, ids: Sequence[str]) -> tuple[str, ...]:
    """In the order given, each once. Errors: InvalidValue."""
    if len(ids) > LIST_MAX_ITEMS:
        raise InvalidValue(field, "too-many", count=LIST_MAX_ITEMS)
    return tuple(dict.fromkeys(ids))


def known(field: str, ids: Sequence[str], present: Iterable[str]) -> tuple[str, ...]:
    """Errors: InvalidValue where one of the ids is not among those present."""
    asked = distinct(field, ids)
    missing = set(asked).difference(present)
    if missing:
        raise InvalidValue(field, "not-there", id=min(missing)[:80])
    return asked


def origins_of(field: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Origins as a browser writes them in its header. Errors: InvalidValue."""
    if not texts:
        raise InvalidValue(field, "no-origin")
    return distinct(field, [_origin(field, text) for text in texts])


def _origin(field: str, text: str) -> str:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise InvalidValue(field, "not-an-origin")
    scheme, host = match["scheme"], match["host"]
    if scheme != "https" and host not in _LOCAL_HOSTS:
        raise InvalidValue(field, "not-https")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")
