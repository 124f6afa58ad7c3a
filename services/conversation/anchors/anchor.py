"""Anchors: what the streams of a workspace ended with, written down where MongoDB is not.

An anchor holds the heads of the streams that changed since the one before it, the root of a Merkle
tree over them, and the hash of the anchor before; it is signed. Whoever may write to MongoDB can
cut off a stream's end, or make its whole chain anew: the anchors still say what it was.

An anchor as it is kept, in JSON; hashes, key and signature are hexadecimal:

    {workspace, number, at, prev, root, heads: [[stream, version, hash], …], key, signature}

What is signed is the MessagePack of ``["parley anchor 1", workspace, number, at (ms since 1970),
prev, root, number of heads]``, and its SHA-256 is the anchor's hash. ``number`` counts from 1
without gaps, and the first follows on 32 zero bytes. The tree is that of RFC 9162 (section 2.1.1),
its leaves the MessagePack of ``[stream, version, hash]`` in the order of the streams' names: so the
head of one conversation can be shown to be in an anchor without showing the others.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.eventstore.chain import Head
from libs.eventstore.commits import GENESIS

type Heads = Mapping[str, Head]

_FORMAT: Final = "parley anchor 1"
_PURPOSE: Final = b"parley anchors ed25519"
_SEED_BYTES: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LEAF, _NODE = b"\x00", b"\x01"

_pack: Final = msgspec.msgpack.Encoder().encode


class Before(NamedTuple):
    """The anchor on which the next one follows."""

    number: int = 0
    hash: bytes = GENESIS


class AnchoredHead(msgspec.Struct, frozen=True, gc=False, array_like=True):
    stream: str
    version: int
    hash: str


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """As it is kept; nothing in it is to be believed before ``trouble_with`` finds nothing."""

    workspace: str
    number: int
    at: datetime
    prev: str
    root: str
    heads: tuple[AnchoredHead, ...]
    key: str
    signature: str

    def signed_bytes(self) -> bytes:
        at = (self.at - _EPOCH) // _MILLISECOND
        return _signed(
            self.workspace, self.number, at, bytes.fromhex(self.prev), bytes.fromhex(self.root),
            len(self.heads),
        )  # fmt: skip

    def before_next(self) -> Before:
        return Before(self.number, hashlib.sha256(self.signed_bytes()).digest())


class AnchorKey:
    """The deployment's key for anchors: derived from its secret, so it needs no keeping."""

    def __init__(self, deployment_key: bytes) -> None:
        seed = HKDF(SHA256(), _SEED_BYTES, salt=None, info=_PURPOSE).derive(deployment_key)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw().hex()

    def anchor(self, workspace: str, before: Before, heads: Heads, now: datetime) -> Anchor:
        """The workspace's next anchor."""
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        ordered = sorted(heads.items())
        root = merkle_root([_leaf(stream, head.version, head.hash) for stream, head in ordered])
        number, at_ms = before.number + 1, (at - _EPOCH) // _MILLISECOND
        signed = _signed(workspace, number, at_ms, before.hash, root, len(ordered))
        return Anchor(
            workspace=workspace,
            number=number,
            at=at,
            prev=before.hash.hex(),
            root=root.hex(),
            heads=tuple(AnchoredHead(s, head.version, head.hash.hex()) for s, head in ordered),
            key=self.public,
            signature=self._private.sign(signed).hex(),
        )


def trouble_with(anchor: Anchor, trusted: Collection[str]) -> str | None:
    """Why an anchor cannot be believed. ``trusted``: public keys, hexadecimal."""
    if anchor.key not in trusted:
        return f"it is signed with the key {anchor.key}, which is not one of this deployment's"
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(anchor.key))
        key.verify(bytes.fromhex(anchor.signature), anchor.signed_bytes())
        leaves = [_leaf(h.stream, h.version, bytes.fromhex(h.hash)) for h in anchor.heads]
    except (InvalidSignature, ValueError, OverflowError):
        return "its signature does not fit"
    if merkle_root(leaves).hex() != anchor.root:
        return "its heads are not those that were signed"
    return None


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, over the hashes of ``leaves``. Errors: ValueError for none."""
    if not leaves:
        raise ValueError("an anchor has at least one head")
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # An odd one is carried up as it is: the same tree as splitting at powers of two.
        odd = [level.pop()] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs] + odd
    return level[0]


def _leaf(stream: str, version: int, hash_: bytes) -> bytes:
    return _pack([stream, version, hash_])


def _signed(workspace: str, number: int, at_ms: int, prev: bytes, root: bytes, count: int) -> bytes:
    return _pack([_FORMAT, workspace, number, at_ms, prev, root, count])
