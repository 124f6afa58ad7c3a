"""Visitors' tokens, the site's word for its users, and the token buckets."""

import hashlib
import hmac
import time

import jwt
import pytest

from libs.runtime.limiter import Limiter, Limiters, Rate, address_key
from services.ingest.channels.widget.visitors import (
    LIFETIME_SECONDS,
    InvalidVisitorToken,
    Visitor,
    VisitorTokens,
    is_vouched_for,
)

KEY = b"k" * 32
ANN = Visitor("src_1", "vis_1", name="Ann", email="ann@example.com", language="uk")


def test_a_token_brings_back_the_visitor_it_was_issued_for() -> None:
    tokens = VisitorTokens(KEY)
    token, expires_at = tokens.issue(ANN)
    assert tokens.verify(token, "src_1") == ANN
    assert abs(expires_at - time.time() - LIFETIME_SECONDS) < 5


def test_a_token_of_another_source_or_deployment_is_refused() -> None:
    token, _ = VisitorTokens(KEY).issue(ANN)
    with pytest.raises(InvalidVisitorToken):
        VisitorTokens(KEY).verify(token, "src_2")
    with pytest.raises(InvalidVisitorToken):
        VisitorTokens(b"o" * 32).verify(token, "src_1")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not a token",
        # signed with the deployment's key itself, which other tokens may be made of
        jwt.encode(
            {"aud": "parley-widget", "exp": 9e9, "source": "src_1", "visitor": "vis_1"}, KEY
        ),
        # not signed at all
        jwt.encode(
            {"aud": "parley-widget", "exp": 9e9, "source": "src_1", "visitor": "vis_1"},
            "",
            "none",
        ),
    ],
)
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidVisitorToken):
        VisitorTokens(KEY).verify(token, "src_1")


def test_a_token_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    past = time.time() - LIFETIME_SECONDS - 60
    with monkeypatch.context() as patched:
        patched.setattr("services.ingest.channels.widget.visitors.time.time", lambda: past)
        token, _ = VisitorTokens(KEY).issue(ANN)
    with pytest.raises(InvalidVisitorToken):
        VisitorTokens(KEY).verify(token, "src_1")


def test_the_sites_word_holds_only_for_the_user_it_was_given_for() -> None:
    digest = hmac.new(b"secret", b"user-7", hashlib.sha256).hexdigest()
    assert is_vouched_for("secret", "user-7", digest)
    assert not is_vouched_for("secret", "user-8", digest)
    assert not is_vouched_for("another", "user-7", digest)
    for malformed in ("", digest.upper(), "é" * 64, digest + "0"):
        assert not is_vouched_for("secret", "user-7", malformed)


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = 0.0
    limiter = Limiter(Rate(burst=2, per_second=1), clock=lambda: now)
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]
    assert limiter.allows("b")
    now = 1.0
    assert [limiter.allows("a") for _ in range(2)] == [True, False]


def test_who_is_not_let_through_by_one_is_counted_by_none() -> None:
    now = 0.0
    limiters = Limiters(
        Rate(burst=1, per_second=1), Rate(burst=2, per_second=0.1), clock=lambda: now
    )
    assert limiters.wait_seconds("ann", "home") == 0
    assert limiters.wait_seconds("ann", "home") == 1
    assert limiters.wait_seconds("bob", "home") == 0
    assert limiters.wait_seconds("eva", "home") == 10
    assert limiters.wait_seconds("eva", "office") == 0


def test_buckets_are_bounded_and_the_one_unseen_for_longest_goes() -> None:
    limiter = Limiter(Rate(burst=1, per_second=0), max_keys=2, clock=lambda: 0.0)
    for key in ("a", "b", "c"):
        assert limiter.allows(key)
    assert not limiter.allows("c")
    assert limiter.allows("a"), "forgotten, so its bucket is full again"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_network_share_a_bucket(address: str, key: str) -> None:
    assert address_key(address) == key
