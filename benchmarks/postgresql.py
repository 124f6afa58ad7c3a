"""A PostgreSQL of the benchmark's own, for as long as it measures.

The programs are the machine's; the data is in a temporary folder. No setting is changed that costs
or saves time: `fsync` and `synchronous_commit` are on, as they are by default.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from eventsourcing.postgres import PostgresDatastore

from libs.devstack.ports import free_port
from libs.devstack.processes import ManagedProcess

_USER: Final = "parley"
_DATABASE: Final = "postgres"
_READY_TIMEOUT_S: Final = 30
# Debian and Red Hat keep the server's programs off the PATH, a folder for each version.
_ELSEWHERE: Final = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")


@contextmanager
def started() -> Iterator[PostgresDatastore | None]:
    """An empty database of a new server on a port of 127.0.0.1; None where none is installed.

    Errors: subprocess.CalledProcessError, ProcessFailed when it cannot be started.
    """
    programs = _programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        data, port, unprivileged = Path(folder) / "data", free_port(), _unprivileged(folder)
        subprocess.run(
            [
                *(*unprivileged, str(programs / "initdb"), "-D", str(data), "-U", _USER),
                *("--auth", "trust", "--encoding", "UTF8", "--no-locale"),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        server = ManagedProcess(
            "postgresql",
            # No socket in the file system: its usual folder is the installed server's own.
            [
                *(*unprivileged, str(programs / "postgres"), "-D", str(data)),
                *("-h", "127.0.0.1", "-p", str(port), "-k", ""),
            ],
            log_path=Path(folder) / "log",
            ready=lambda: _answers(port),
            working_folder=Path(folder),
        )
        server.start()
        try:
            server.wait_ready(_READY_TIMEOUT_S)
            with PostgresDatastore(_DATABASE, "127.0.0.1", port, _USER, "") as datastore:
                yield datastore
        finally:
            server.stop()


def _programs() -> Path | None:
    """The folder of the first on the PATH, else of the newest version."""
    elsewhere = [folder for pattern in _ELSEWHERE for folder in Path("/").glob(pattern)]
    elsewhere.sort(key=_version, reverse=True)
    searched = (*os.get_exec_path(), *map(str, elsewhere))
    initdb = shutil.which("initdb", path=os.pathsep.join(searched))
    return None if initdb is None else Path(initdb).resolve().parent


def _version(folder: Path) -> tuple[int, ...]:
    """Of `…/postgresql/15/bin`, `…/pgsql-9.6/bin`."""
    return tuple(int(part) for part in folder.parent.name.rpartition("-")[2].split("."))


def _unprivileged(folder: str) -> list[str]:
    """What to put before a command: the server refuses to run as root, who gives it the folder."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}")
    return ["setpriv", *ids, "--clear-groups"]


def _answers(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user=_USER, dbname=_DATABASE).close()
    except psycopg.OperationalError:  # nothing listens yet, or it is still starting up
        return False
    return True
