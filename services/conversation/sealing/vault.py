"""Kept answers, sealed like the events that they tell of."""

import os
from typing import Final

from services.conversation.sealing.keyring import Keyring, Wanted
from services.conversation.sealing.payload import NONCE_BYTES, Owner

_GENERATION_BYTES: Final = 4


class AnswerVault:
    """The generation of the key stands before the nonce and the box. See ``Vault``."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def seal(self, workspace_id: str, owner: str, body: bytes, place: bytes) -> bytes:
        wanted = Wanted(Owner(owner, 1), workspace_id, begins=False)
        key, cipher = (await self._keyring.to_seal([wanted]))[owner]
        nonce = os.urandom(NONCE_BYTES)
        generation = key.generation.to_bytes(_GENERATION_BYTES, "big")
        return generation + nonce + cipher.encrypt(nonce, body, place)

    async def open(self, owner: str, sealed: bytes, place: bytes) -> bytes | None:
        key = Owner(owner, int.from_bytes(sealed[:_GENERATION_BYTES], "big"))
        cipher = (await self._keyring.to_open([key], as_of_now=True)).get(key)
        if cipher is None:
            return None
        box = sealed[_GENERATION_BYTES:]
        return cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], place)
