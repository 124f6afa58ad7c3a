"""``python -m parley.console FOLDER``: build the console, which the gateway serves from there."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from parley.node import NodeFailed, installed, node

_TOP: Final = Path(__file__).resolve().parent.parent
CONSOLE: Final = _TOP / "console"
CLIENT: Final = _TOP / "clients" / "typescript"
_WORKSHOPS: Final = _TOP / ".devstack" / "console"
_SOURCES: Final = (
    "src",
    "texts",
    "public",
    "build",
    "index.html",
    "vite.config.ts",
    "tsconfig.json",
)


def built_console(say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder with the console as its sources are now; built where they have changed.

    Errors: NodeFailed.
    """
    place = installed(CONSOLE, _WORKSHOPS)
    stamp, made_of = place / "dist.sha256", _hash_of_sources()
    if not stamp.exists() or stamp.read_text() != made_of:
        say("building the console")
        stamp.unlink(missing_ok=True)
        workshop()
        done = node(place, "node_modules/vite/bin/vite.js", "build")
        if done.returncode != 0:
            raise NodeFailed((done.stdout + done.stderr)[-2_000:])
        stamp.write_text(made_of)
    return place / "dist"


def workshop() -> Path:
    """A copy of the sources beside what their lock names. Errors: NodeFailed."""
    place = installed(CONSOLE, _WORKSHOPS)
    for name in _SOURCES:
        _copied(CONSOLE / name, place / name)
    # Where the console's settings look for it: beside its own folder's folder.
    _copied(CLIENT / "src", place.parent / "clients" / "typescript" / "src")
    return place


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _hash_of_sources() -> str:
    files = [CONSOLE / "package-lock.json", *(CLIENT / "src").rglob("*.ts")]
    for name in _SOURCES:
        source = CONSOLE / name
        files += [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file()]
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(f"{file.relative_to(_TOP)}\n".encode() + file.read_bytes())
    return whole.hexdigest()


def main() -> None:
    shutil.copytree(built_console(print), sys.argv[1], dirs_exist_ok=True)


if __name__ == "__main__":
    main()
