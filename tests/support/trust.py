"""Keys of services for the tests, always the same ones."""

import hashlib
from typing import Final

from libs.runtime.settings import CALLERS
from libs.runtime.tokens import ServiceTokens, VerifyingKeys, public_key_of

SIGNING_KEYS: Final = {name: hashlib.sha256(name.encode()).digest() for name in CALLERS}
VERIFYING_KEYS: Final[VerifyingKeys] = {
    name: (public_key_of(key),) for name, key in SIGNING_KEYS.items()
}
# Of all services together: each takes what is its own.
SERVICE_KEYS: Final = {
    **{f"PARLEY_{name.upper()}_SIGNING_KEY": key.hex() for name, key in SIGNING_KEYS.items()},
    "PARLEY_VERIFYING_KEYS": ",".join(
        f"{name}:{key.hex()}" for name, [key] in VERIFYING_KEYS.items()
    ),
}


def tokens_of(service: str) -> ServiceTokens:
    """As the service signs and verifies them."""
    return ServiceTokens(service, SIGNING_KEYS[service], VERIFYING_KEYS)
