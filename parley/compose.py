"""The suite by Docker Compose, where an engine answers."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[1]
ENVIRONMENT: Final = FOLDER / ".env"
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
    """Make the keys if there are none, then start all in the foreground until Ctrl-C."""
    if not ENVIRONMENT.exists():
        keys = ("PARLEY_DEPLOYMENT_KEY", "PARLEY_SERVICE_KEY", "CLICKHOUSE_PASSWORD")
        lines = [f"{name}={secrets.token_hex(32)}\n" for name in keys]
        descriptor = os.open(ENVIRONMENT, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(lines)
    _compose("up", "--build", "--wait")
    _compose("run", "--rm", "bootstrap")
    try:
        _compose("logs", "--follow", "--tail", "20")
    except KeyboardInterrupt:
        down()


def down() -> None:
    """Stop the containers; the volumes stay."""
    _compose("down")


def _compose(*words: str) -> None:
    docker = shutil.which("docker") or "docker"
    subprocess.run([docker, "compose", *words], cwd=FOLDER, check=True)  # noqa: S603  # fixed words
