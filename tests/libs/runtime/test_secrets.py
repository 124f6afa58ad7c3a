"""Tokens between services, and what is sealed: each opens only for whom it is meant."""

import base64
import time
from typing import Any

import jwt
import pytest

from libs.runtime.sealing import CannotOpen, Sealer
from libs.runtime.tokens import LEEWAY_SECONDS, Caller, InvalidToken, ServiceTokens

KEY = bytes(range(32))


def token(key: bytes = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "iss": "gateway",
        "aud": "routing",
        "exp": int(time.time()) + 60,
        "workspace": "wsp_1",
        "member": "mbr_1",
        "actions": ["read"],
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm)


def test_a_token_tells_who_calls_and_what_they_may() -> None:
    issued = ServiceTokens(KEY, "gateway").issue("routing", "wsp_1", "mbr_1", ["read", "note"])

    caller = ServiceTokens(KEY, "routing").verify(issued)

    assert caller == Caller("gateway", "wsp_1", "mbr_1", frozenset({"read", "note"}))
    assert caller.may("note")
    assert not caller.may("take")


@pytest.mark.parametrize(
    "wrong",
    [
        token(exp=int(time.time()) - 60),
        token(aud="ingest"),
        token(bytes(32)),
        token(algorithm="HS512", key=KEY * 2),
        token(exp=None),
        token(workspace=None),
        token(member=None),
        token(actions=None),
        token(aud=None),
        token() + "x",
        "",
        "not a token",
        ".".join([base64.b64encode(b'{"alg":"none"}').decode(), token().split(".")[1], ""]),
    ],
    ids=range(13),
)
def test_a_token_that_is_not_valid(wrong: str) -> None:
    with pytest.raises(InvalidToken):
        ServiceTokens(KEY, "routing").verify(wrong)


def test_a_token_is_valid_again_and_again_until_it_expires() -> None:
    tokens = ServiceTokens(KEY, "routing")
    expires_at = int(time.time()) + 2
    issued = token(exp=expires_at - LEEWAY_SECONDS)

    assert tokens.verify(issued) == tokens.verify(issued)

    time.sleep(max(0.0, expires_at - time.time()))
    with pytest.raises(InvalidToken):
        tokens.verify(issued)


def test_what_is_sealed_opens_for_its_owner() -> None:
    sealer = Sealer(KEY, "credentials")

    sealed = sealer.seal(b"bot token", "src_1")

    assert sealer.open(sealed, "src_1") == b"bot token"
    assert sealer.seal(b"bot token", "src_1") != sealed
    assert b"bot token" not in base64.b64decode(sealed)


@pytest.mark.parametrize(
    ("key", "purpose", "owner"),
    [
        (bytes(32), "credentials", "src_1"),
        (KEY, "another purpose", "src_1"),
        (KEY, "credentials", "src_2"),
    ],
)
def test_it_opens_for_nobody_else(key: bytes, purpose: str, owner: str) -> None:
    sealed = Sealer(KEY, "credentials").seal(b"bot token", "src_1")

    with pytest.raises(CannotOpen):
        Sealer(key, purpose).open(sealed, owner)


def test_what_was_altered_does_not_open() -> None:
    sealer = Sealer(KEY, "credentials")
    sealed = bytearray(base64.b64decode(sealer.seal(b"bot token", "src_1")))
    for at in (0, 12, len(sealed) - 1):
        altered = sealed.copy()
        altered[at] ^= 1
        with pytest.raises(CannotOpen):
            sealer.open(base64.b64encode(altered).decode(), "src_1")
    for nonsense in ("", "not base64!", "AAAA"):
        with pytest.raises(CannotOpen):
            sealer.open(nonsense, "src_1")
