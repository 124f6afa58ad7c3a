"""The suite as docker-compose.yml describes it."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from parley.compose import PASSWORDS
from parley.keys import all_keys

ROOT_FOLDER = Path(__file__).parents[3]


# Each told apart from all others.
KEYS = all_keys({}) | {name: secrets.token_hex(32) for name in PASSWORDS}


def model_with(given: Mapping[str, str]) -> dict[str, Any]:
    """What Compose makes of the file where these are set."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("the parser of Compose files is a Go module, and there is no Go here")
    read = subprocess.run(
        [go, "run", ".", str(ROOT_FOLDER / "docker-compose.yml")],
        cwd=ROOT_FOLDER / "tests" / "deploy" / "compose_model",
        env=os.environ | KEYS | dict(given),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert read.returncode == 0, read.stderr
    parsed: dict[str, Any] = json.loads(read.stdout)
    return parsed
