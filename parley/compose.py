"""The suite by Docker Compose, where an engine answers."""

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

from parley.accounts import HOLDERS, OPERATOR, ROOT, password_name
from parley.keys import all_keys, write_secret

FOLDER: Final = Path(__file__).resolve().parents[1]
ENVIRONMENT: Final = FOLDER / ".env"
# Of the servers' accounts, one for each holder; and what MongoDB's replica set knows itself by.
PASSWORDS: Final = (
    *(password_name("kafka", holder) for holder in HOLDERS["kafka"]),
    *(password_name("mongodb", holder) for holder in (ROOT, *HOLDERS["mongodb"])),
    *(password_name("clickhouse", holder) for holder in (OPERATOR, "analytics")),
    "MONGODB_KEY",
)
_GONE: Final = ("PARLEY_SERVICE_KEY", "CLICKHOUSE_PASSWORD")
_ANSWER_TIMEOUT_S: Final = 10


def engine_answers() -> bool:
    """Whether a Docker engine can be asked; the client alone is not enough."""
    docker = shutil.which("docker")
    if docker is None or not (FOLDER / "docker-compose.yml").is_file():
        return False
    try:
        asked = subprocess.run(  # noqa: S603  # fixed words
            [docker, "info"], capture_output=True, timeout=_ANSWER_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def up() -> None:
    """Make the keys that are missing, then start all in the foreground until Ctrl-C."""
    keep_secrets(ENVIRONMENT)
    _compose("up", "--build", "--wait")
    _compose("run", "--rm", "bootstrap")
    try:
        _compose("logs", "--follow", "--tail", "20")
    except KeyboardInterrupt:
        down()


def keep_secrets(path: Path) -> None:
    """Add to ``path`` what it does not have yet; what is there stays as it is.

    What only an older version used goes.
    """
    lines = path.read_text().splitlines() if path.exists() else []
    lines = [line for line in lines if line.partition("=")[0].strip() not in _GONE]
    pairs = (line.partition("=") for line in lines)
    there = {name.strip(): value.strip(" '\"") for name, _, value in pairs}
    wanted = all_keys(there)
    wanted |= {name: there.get(name) or secrets.token_hex(32) for name in PASSWORDS}
    kept = [line for line in lines if line.partition("=")[0].strip() not in wanted]
    write_secret(path, "\n".join([*kept, *(f"{k}={v}" for k, v in wanted.items())]) + "\n")


def down() -> None:
    """Stop the containers; the volumes stay."""
    _compose("down")


def _compose(*words: str) -> None:
    docker = shutil.which("docker") or "docker"
    subprocess.run([docker, "compose", *words], cwd=FOLDER, check=True)  # noqa: S603  # fixed words
