"""What opens an account: as it is given, and as it is sealed."""

import pytest

from libs.events.channels import channel_type
from libs.events.content import Channel
from libs.events.credentials import (
    Credentials,
    TelegramCredentials,
    WidgetCredentials,
    WrongCredential,
    opened,
    sealable,
)
from libs.events.ids import IdKey

IDS = IdKey(b"k" * 32)
TOKEN = "42:" + "A" * 35


def refused(kind: type[Credentials], given: dict[str, str]) -> WrongCredential:
    with pytest.raises(WrongCredential) as caught:
        kind.given(given)
    return caught.value


@pytest.mark.parametrize("channel", Channel)
def test_what_nobody_asked_for_is_refused_and_never_shown(channel: Channel) -> None:
    wrong = refused(channel_type(channel).credentials, {"of_tomorrow": "a secret"})

    assert (wrong.field, wrong.key) == ("of_tomorrow", "unknown-field")
    assert "a secret" not in str(wrong)


@pytest.mark.parametrize("token", ["", "42", "42:short", "x:" + "A" * 35, "42:" + "A" * 36])
def test_not_a_bot_token(token: str) -> None:
    wrong = refused(TelegramCredentials, {"bot_token": token})

    assert (wrong.field, wrong.key) == ("bot_token", "not-a-bot-token")


def test_a_bot_needs_its_token_and_gives_no_secret() -> None:
    assert refused(TelegramCredentials, {}).key == "missing-field"
    made = refused(TelegramCredentials, {"bot_token": TOKEN, "secret_token": "x" * 20})
    assert (made.field, made.key) == ("secret_token", "unknown-field")


def test_the_secret_of_a_bot_follows_from_its_token() -> None:
    given = TelegramCredentials.given({"bot_token": TOKEN})
    completed = given.completed("src_1", IDS)

    assert completed.account == "42"
    assert completed.webhook_secret == IDS.derive("tgs", "src_1", TOKEN)
    assert completed == given.completed("src_1", IDS)


@pytest.mark.parametrize("secret", ["short", "x" * 201, "ж" * 20, "with a\nline break"])
def test_not_a_secret_of_a_site(secret: str) -> None:
    wrong = refused(WidgetCredentials, {"identity_secret": secret})

    assert (wrong.field, wrong.key) == ("identity_secret", "secret")
    assert wrong.variables == {"least": 16, "most": 200}


def test_what_is_sealed_is_what_it_always_was() -> None:
    telegram = TelegramCredentials(bot_token=TOKEN, secret_token="s")

    assert sealable(telegram) == b'{"bot_token":"%s","secret_token":"s"}' % TOKEN.encode()
    assert sealable(WidgetCredentials()) == b"{}"
    assert opened(TelegramCredentials, sealable(telegram)) == telegram


def test_credentials_are_in_no_log() -> None:
    assert TOKEN not in repr(TelegramCredentials(bot_token=TOKEN))
