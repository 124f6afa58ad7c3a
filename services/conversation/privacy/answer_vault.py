"""Kept answers, sealed like the events that they tell of."""

import os
from collections.abc import Sequence
from typing import Final

from services.conversation.privacy.keyring import Keyring, Wanted
from services.conversation.privacy.sealed_payload import NONCE_BYTES, Owner

ANSWERS: Final = "conversation_answers"

_GENERATION_BYTES: Final = 4


class AnswerVault:
    """A box in a box, one for each owner, so that it takes all their keys to open. The generations
    of the keys stand before the outermost, in the owners' order. See ``Vault``."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def seal(
        self, workspace_id: str, owners: Sequence[str], body: bytes, place: bytes
    ) -> bytes:
        keys = await self._keyring.to_seal(
            Wanted(Owner(owner, 1), workspace_id, begins=False) for owner in owners
        )
        generations = b""
        for owner in owners:
            key, cipher = keys[owner]
            generations += key.generation.to_bytes(_GENERATION_BYTES, "big")
            nonce = os.urandom(NONCE_BYTES)
            body = nonce + cipher.encrypt(nonce, body, place)
        return generations + body

    async def open(self, owners: Sequence[str], sealed: bytes, place: bytes) -> bytes | None:
        begin = _GENERATION_BYTES * len(owners)
        keys = [
            Owner(owner, int.from_bytes(sealed[at : at + _GENERATION_BYTES], "big"))
            for owner, at in zip(owners, range(0, begin, _GENERATION_BYTES), strict=True)
        ]
        ciphers = await self._keyring.to_open(keys, as_of_now=True)
        body = sealed[begin:]
        for key in reversed(keys):
            cipher = ciphers.get(key)
            if cipher is None:
                return None
            body = cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], place)
        return body
