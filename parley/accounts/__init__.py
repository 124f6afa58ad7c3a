"""Each service's own account at Kafka and MongoDB, with the least rights it lives with.

Made by ``parley accounts``, from the servers' own network names, where nobody else is: a repetition
gives the passwords and the rights of today.
"""

from collections.abc import Mapping
from typing import Final, Literal

from libs.runtime.settings import SERVICES, SettingsError

type Server = Literal["kafka", "mongodb"]

# Of migrations and of whoever repairs something by hand.
OPERATOR: Final = "operator"
# Who has an account: analytics has no MongoDB.
HOLDERS: Final[Mapping[Server, tuple[str, ...]]] = {
    "kafka": (*SERVICES, OPERATOR),
    "mongodb": (*(name for name in SERVICES if name != "analytics"), OPERATOR),
}
# Who makes the others at MongoDB, and nothing else.
ROOT: Final = "root"


def password_name(server: str, holder: str) -> str:
    """What it is called in ``.env`` and in the Compose file."""
    return f"{server.upper()}_PASSWORD_{holder.upper()}"


def passwords(server: Server, environment: Mapping[str, str]) -> dict[str, str]:
    """By account. Errors: SettingsError."""
    wanted = (*HOLDERS[server], *((ROOT,) if server == "mongodb" else ()))
    names = {holder: password_name(server, holder) for holder in wanted}
    missing = [name for name in names.values() if not environment.get(name)]
    if missing:
        raise SettingsError(f"{', '.join(missing)} is missing: `make up` makes it")
    return {holder: environment[name] for holder, name in names.items()}
