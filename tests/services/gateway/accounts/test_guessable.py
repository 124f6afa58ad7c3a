"""Passwords that are tried first are no passwords; others may be what they like."""

import secrets

import pytest

from services.gateway.accounts.guessable import is_guessable
from services.gateway.accounts.passwords import random_password

CONTEXT = ("Olena.Koval@coffee-shop.example", "Olena Koval", "Coffee & Co", "Parley")


@pytest.mark.parametrize(
    "password",
    [
        " " * 10,
        "\t \n \u2003 \u00a0    ",
        "\u200b" * 12,
        "aaaaaaaaaaaa",
        "1111111111",
        "1234567890",
        "0987654321",
        "12345678901234567890",
        "121212121212",
        "abcabcabcabc",
        "qwertyuiop",
        "QWERTYUIOP123",
        "йцукенгшщз",
        "abcdefghij",
        "1qaz2wsx3edc",
        "1q2w3e4r5t6y",
        "password123",
        "P@ssw0rd123!",
        "PasswordPassword",
        "passw0rdpassw0rd",
        "Welcome2024!",
        "Summer2025!!",
        "letmein12345",
        "iloveyou1234",
        "Пароль12345",
        "пароль2024!!",
        "olena.koval@coffee-shop.example",
        "OLENA.KOVAL@COFFEE-SHOP.EXAMPLE",
        "olena.koval1",
        "OlenaKoval2024",
        "olenakoval!!!",
        "lavokanelo1",
        "coffee-shop1",
        "CoffeeCo2024",
        "parleyparley1",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10",
        "admin123456",
        "1234567890a",
        "Qwerty123456!",
    ],
)
def test_guessable(password: str) -> None:
    assert is_guessable(password, CONTEXT)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "a much longer password",
        "три веселі жабки на даху",
        "xK9#mQ2$vL5",
        "tram-violet-owl-73",
        "Lviv rains on Tuesdays",
        "my olena dislikes aubergines",
    ],
)
def test_not_guessable(password: str) -> None:
    assert not is_guessable(password, CONTEXT)


def test_what_is_made_at_random_is_not() -> None:
    for _ in range(500):
        assert not is_guessable(random_password(), CONTEXT)
        assert not is_guessable(secrets.token_hex(16), CONTEXT)


def test_the_longest_takes_no_time_to_speak_of() -> None:
    for text in ("ab" * 128, "a" * 255 + "b", "xyzq" * 64):
        is_guessable(text, CONTEXT * 20)
