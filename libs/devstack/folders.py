"""Where the devstack keeps its things, and that only one stack at a time uses a folder."""

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_GRACE_S: Final = 5.0
_POLL_S: Final = 0.1


class FolderInUse(Exception):
    """Another stack runs on the folder; the message says which process started it."""


def devstack_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """``PARLEY_DEVSTACK_FOLDER``, else ``.devstack`` in the checkout or the working folder."""
    given = environment.get("PARLEY_DEVSTACK_FOLDER")
    if given:
        return Path(given).expanduser().resolve()
    home = _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path.cwd()
    return home / ".devstack"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """What every stack of this checkout shares: downloaded jars, built programs."""
    return devstack_folder(environment) / "cache"


def user_programs(environment: Mapping[str, str] = os.environ) -> Path:
    """Where ``make native`` and ``make promtool`` put what they build: it outlives a checkout."""
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "parley" / "bin"


class FolderLock:
    """Held by the process that runs a stack *and* by its servers, who inherit the descriptor.

    So after a ``kill -9`` the folder is free exactly when the last of the old servers is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    @property
    def descriptor(self) -> int:
        if self._file is None:
            raise RuntimeError("the folder is not locked")
        return self._file.fileno()

    def take(self) -> None:
        """Errors: FolderInUse."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / "lock").open("a+")
        deadline = time.monotonic() + _GRACE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                # Servers whose parent is gone are on their way out: worth a short wait.
                if time.monotonic() > deadline or _lives(holder):
                    file.close()
                    raise FolderInUse(
                        f"the servers of {self._folder} are running already, started by process "
                        f"{holder or 'unknown'}: stop that first, or choose another folder"
                    ) from None
                time.sleep(_POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            # Tells the next one that who still holds it, the watchers of the servers, is ending.
            self._file.truncate(0)
            self._file.close()
            self._file = None


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
