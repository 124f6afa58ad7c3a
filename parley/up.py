"""``parley up``: the whole suite on this machine, watched until it is told to stop."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from libs.devstack.folders import FolderInUse, devstack_folder
from libs.devstack.kafka_jars import JarsUnavailable
from libs.devstack.mongodb import NoMongodb
from libs.devstack.processes import ManagedProcess, ProcessFailed
from libs.devstack.stack import Devstack
from libs.devstack.stores import StoresApart
from libs.runtime.settings import load
from parley import compose
from parley.bootstrap import (
    BootstrapFailed,
    BootstrapSettings,
    FirstWorkspace,
    bootstrap_workspace,
)
from parley.console import built_console
from parley.given import NotGiven, given_settings
from parley.keys import kept_keys
from parley.migrate import migrate_all
from parley.node import NodeFailed
from parley.suite import Suite, kept_folders

FIRST_PORT: Final = 8100
WATCH_S: Final = 0.5
_CONSOLE_FOLDER: Final = "PARLEY_GATEWAY_CONSOLE_FOLDER"
FIRST_WORKSPACE: Final = {
    "name": "My company",
    "owner_name": "Owner",
    "owner_email": "owner@example.com",
    "language": "en",
    "time_zone": "UTC",
}


_WORTH_A_SENTENCE: Final = (
    BootstrapFailed,
    FolderInUse,
    JarsUnavailable,
    NoMongodb,
    ProcessFailed,
    StoresApart,
)


class Failed(Exception):
    """Why it could not start or go on, in words."""


def stack_folder() -> Path:
    return devstack_folder() / "main"


def up_here() -> None:
    """Start, tell where to go, and watch. Errors: Failed."""
    try:
        given = given_settings(os.environ, compose.ENVIRONMENT)
    except NotGiven as error:
        raise Failed(str(error)) from error
    if compose.engine_answers():
        compose.up()
        return
    # A polite kill is a Ctrl-C: at whatever point it comes, all that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _up_on_devstack(click.echo, given)
    except KeyboardInterrupt:
        click.echo("stopped")
    except _WORTH_A_SENTENCE as error:
        raise Failed(str(error)) from error


def _up_on_devstack(say: Callable[[str], None], given: Mapping[str, str]) -> None:
    key = kept_keys(stack_folder())["PARLEY_DEPLOYMENT_KEY"]
    keys = hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]
    folders = kept_folders(stack_folder(), given)
    with Devstack(stack_folder(), keys=keys, folders=folders, say=say) as stack:
        settings = {**given, **_console(say)}
        suite = Suite(
            stack.servers, stack_folder(), first_port=FIRST_PORT, settings=settings, say=say
        )
        say("making topics, indexes and tables")
        asyncio.run(migrate_all(suite.settings))
        with suite:
            gateway = suite.url("gateway")
            first = asyncio.run(
                bootstrap_workspace(
                    load(BootstrapSettings, suite.settings), gateway, FIRST_WORKSPACE
                )
            )
            say(_where_to_go(suite, first))
            watch([*stack.processes, *suite.processes.values()])


def _console(say: Callable[[str], None]) -> dict[str, str]:
    """Where the gateway finds the console; nothing where it cannot be built, as offline."""
    try:
        return {_CONSOLE_FOLDER: str(built_console(say))}
    except (NodeFailed, OSError, subprocess.TimeoutExpired) as error:
        say(f"there is no console, for it cannot be built: {error}")
        return {}


def watch(processes: Sequence[ManagedProcess]) -> None:
    """Never returns. Errors: ProcessFailed as soon as one of them has died."""
    while True:
        time.sleep(WATCH_S)
        for process in processes:
            if not process.alive:
                raise process.failure()


def down_here() -> str:
    """Stop what `up` started; says what it did."""
    if compose.engine_answers():
        compose.down()
        return "stopped"
    lock = stack_folder() / "lock"
    holder = lock.read_text().strip() if lock.exists() else ""
    if not holder.isdigit() or not _is_parley(int(holder)):
        return "nothing is running"
    os.kill(int(holder), signal.SIGTERM)
    while _is_parley(int(holder)):
        time.sleep(WATCH_S)
    return "stopped"


def _is_parley(pid: int) -> bool:
    """Whether the process is one of ours: a number in an old lock may be anybody's by now."""
    ps = shutil.which("ps")
    if ps is None:
        raise Failed("the program ps is needed to find what is running")
    shown = subprocess.run(  # noqa: S603  # a number and fixed words
        [ps, "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "parley" in shown.stdout and "up" in shown.stdout.split()


def _where_to_go(suite: Suite, first: FirstWorkspace) -> str:
    console = [f"console   {suite.url('gateway')}/"] if _CONSOLE_FOLDER in suite.settings else []
    return "\n".join(
        [
            "",
            first.told(),
            "",
            *console,
            f"API       {suite.url('gateway')}/v1   (its description: /openapi.json)",
            f"webhooks  {suite.url('ingest')}/hooks/{{channel}}/{{source_id}}",
            f"widget    {suite.url('ingest')}/widget.js",
            f"logs      {next(iter(suite.processes.values())).log_path.parent}",
            "",
            "Ctrl-C stops it all; the data stays for the next start.",
        ]
    )
