"""Tokens between services, and what is sealed: each opens only for whom it is meant."""

import base64
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.runtime.sealing import CannotOpen, Sealer
from libs.runtime.tokens import (
    LEEWAY_SECONDS,
    Caller,
    InvalidToken,
    ServiceTokens,
    public_key_of,
)
from tests.support.trust import SIGNING_KEYS, VERIFYING_KEYS, tokens_of

KEY = bytes(range(32))


OTHERS_KEY = Ed25519PrivateKey.from_private_bytes(SIGNING_KEYS["notify"])
GATEWAYS_KEY = Ed25519PrivateKey.from_private_bytes(SIGNING_KEYS["gateway"])


def token(key: Any = GATEWAYS_KEY, algorithm: str = "EdDSA", **changes: Any) -> str:
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
    issued = tokens_of("gateway").issue("routing", "wsp_1", "mbr_1", ["read", "note"])

    caller = tokens_of("routing").verify(issued)

    assert caller == Caller("gateway", "wsp_1", "mbr_1", frozenset({"read", "note"}))
    assert caller.may("note")
    assert not caller.may("take")


@pytest.mark.parametrize(
    "wrong",
    [
        token(exp=int(time.time()) - 60),
        token(aud="ingest"),
        token(OTHERS_KEY),  # who has one service's key is no other service
        token(iss="notify"),
        token(iss="nobody"),
        token(iss=None),
        # An attack on libraries: the public key is no secret, and so none to sign with.
        token(VERIFYING_KEYS["gateway"][0], "HS256"),
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
    ids=range(16),
)
def test_a_token_that_is_not_valid(wrong: str) -> None:
    with pytest.raises(InvalidToken):
        tokens_of("routing").verify(wrong)


def test_a_token_is_valid_again_and_again_until_it_expires() -> None:
    tokens = tokens_of("routing")
    expires_at = int(time.time()) + 2
    issued = token(exp=expires_at - LEEWAY_SECONDS)

    assert tokens.verify(issued) == tokens.verify(issued)

    time.sleep(max(0.0, expires_at - time.time()))
    with pytest.raises(InvalidToken):
        tokens.verify(issued)


def test_a_key_is_changed_while_both_are_known() -> None:
    new = bytes(range(32))
    both = {"gateway": (*VERIFYING_KEYS["gateway"], public_key_of(new))}
    routing = ServiceTokens("routing", SIGNING_KEYS["routing"], both)

    for key in (SIGNING_KEYS["gateway"], new):
        issued = ServiceTokens("gateway", key).issue("routing", "wsp_1")
        assert routing.verify(issued).service == "gateway"


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
