"""What opens an account on a platform: one type a channel.

What a person gives is checked here, at the edge; sealed, it is the JSON of the type, and nobody but
ingest opens it.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import msgspec

from libs.events.ids import IdKey

_SECRET_CHARACTERS: Final = range(16, 201)
# As the Bot API shows it ("Authorizing your bot", core.telegram.org/bots/api): the bot's id, a
# colon, and 35 characters.
_BOT_TOKEN: Final = re.compile(r"(?P<bot_id>[0-9]{1,20}):[A-Za-z0-9_-]{35}")


class WrongCredential(Exception):
    """What was given for ``field`` cannot be right, told by the text ``invalid.<key>`` with its
    ``variables``. It never shows the value."""

    def __init__(self, field: str, key: str, **variables: str | int) -> None:
        super().__init__(f"{field}: {key}")
        self.field = field
        self.key = key
        self.variables = variables


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of every channel's. A field without default has to be given."""

    # Fields that Parley makes: nobody gives them.
    made: ClassVar[frozenset[str]] = frozenset()
    # Begins the id of an account that has none on its platform.
    account_prefix: ClassVar[str] = "acc"
    # What is said of those of another account than the source's, and of which field.
    another_account: ClassVar[tuple[str, str]] = ("", "another-account")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    @classmethod
    def given(cls, values: Mapping[str, str]) -> Self:
        """As a person gives them. Errors: WrongCredential."""
        fields = [one for one in msgspec.structs.fields(cls) if one.name not in cls.made]
        if unknown := sorted(set(values).difference(one.name for one in fields)):
            raise WrongCredential(unknown[0][:80], "unknown-field")
        for one in fields:
            if one.required and one.name not in values:
                raise WrongCredential(one.name, "missing-field")
        credentials = cls(**values)
        credentials.check()
        return credentials

    def check(self) -> None:
        """Errors: WrongCredential, where one of them cannot be right as it is written."""

    @property
    def account(self) -> str | None:
        """The platform's id of the account that they open, where they tell it."""
        return None

    @property
    def webhook_secret(self) -> str:
        """What deliveries for the source are known by; empty where nothing is."""
        return ""

    def completed(self, source_id: str, ids: IdKey) -> Self:
        """With what Parley makes for the source; of the same given, always the same."""
        return self


class TelegramCredentials(Credentials, frozen=True):
    """``secret_token`` follows from the bot's token alone, so that what Telegram was told stays
    true whatever else is changed."""

    made: ClassVar[frozenset[str]] = frozenset({"secret_token"})
    another_account: ClassVar[tuple[str, str]] = ("bot_token", "another-bot")

    bot_token: str
    secret_token: str = ""

    def check(self) -> None:
        if _BOT_TOKEN.fullmatch(self.bot_token) is None:
            raise WrongCredential("bot_token", "not-a-bot-token")

    @property
    def account(self) -> str:
        return self.bot_token.partition(":")[0]

    @property
    def webhook_secret(self) -> str:
        return self.secret_token

    def completed(self, source_id: str, ids: IdKey) -> Self:
        secret = ids.derive("tgs", source_id, self.bot_token)
        return msgspec.structs.replace(self, secret_token=secret)


class WidgetCredentials(Credentials, frozen=True):
    """With ``identity_secret`` the site's own backend vouches for users that it has signed in."""

    account_prefix: ClassVar[str] = "wgt"

    identity_secret: str | None = None

    def check(self) -> None:
        if self.identity_secret is not None:
            check_secret("identity_secret", self.identity_secret)


def check_secret(field: str, text: str) -> None:
    """Errors: WrongCredential."""
    if len(text) not in _SECRET_CHARACTERS or not text.isascii() or not text.isprintable():
        least, most = _SECRET_CHARACTERS.start, _SECRET_CHARACTERS.stop - 1
        raise WrongCredential(field, "secret", least=least, most=most)


def sealable(credentials: Credentials) -> bytes:
    """What is sealed of them."""
    return msgspec.json.encode(credentials)


def opened[C: Credentials](kind: type[C], content: bytes) -> C:
    """Errors: msgspec.ValidationError, msgspec.DecodeError."""
    read: Any = msgspec.json.decode(content, type=kind)
    return read  # type: ignore[no-any-return]
