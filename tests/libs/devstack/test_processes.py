"""A child process is watched, stopped with all of its group, and cannot outlive its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from libs.devstack.processes import ManagedProcess, ProcessFailed

_PATIENCE_S = 10.0


class Hire(Protocol):
    def __call__(self, script: str, ready: Callable[[], bool] = ...) -> ManagedProcess: ...


@pytest.fixture
def hire(tmp_path: Path) -> Iterator[Hire]:
    """Makes a process of a shell script, not yet started; whatever is left of it is killed."""
    hired: list[ManagedProcess] = []

    def make(script: str, ready: Callable[[], bool] = lambda: True) -> ManagedProcess:
        command = ["/bin/sh", "-c", script]
        clerk = ManagedProcess("clerk", command, log_path=tmp_path / "clerk.log", ready=ready)
        hired.append(clerk)
        return clerk

    yield make
    for clerk in hired:
        clerk.kill()


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _group(pid: int) -> list[int]:
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that starts a child, prints the child's pid, and waits."""
    program = f"""
from pathlib import Path
from libs.devstack.processes import ManagedProcess
child = ManagedProcess("clerk", ["sleep", "600"], log_path=Path({str(tmp_path)!r}) / "clerk.log",
                       ready=lambda: True)
child.start()
print(child.pid, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_its_pid_is_the_programs_own(hire: Hire) -> None:
    clerk = hire("exec sleep 600")
    clerk.start()
    assert _eventually(lambda: psutil.Process(clerk.pid).cmdline() == ["sleep", "600"])
    clerk.kill()
    assert clerk.pid is None
    assert not clerk.alive


def test_a_process_that_dies_is_reported_with_the_end_of_its_log(hire: Hire) -> None:
    clerk = hire("echo no ink left; exit 3", ready=lambda: False)
    clerk.start()
    with pytest.raises(ProcessFailed, match=r"clerk ended with status 3[\s\S]*no ink left"):
        clerk.wait_ready(_PATIENCE_S)


def test_a_process_that_is_late_is_reported_with_the_end_of_its_log(hire: Hire) -> None:
    clerk = hire("echo thinking; exec sleep 600", ready=lambda: False)
    clerk.start()
    with pytest.raises(ProcessFailed, match=r"clerk was not ready after 0.5 s[\s\S]*thinking"):
        clerk.wait_ready(0.5)


def test_a_refused_connection_means_not_ready_yet(hire: Hire) -> None:
    refusals = iter([ConnectionRefusedError("not yet"), None])

    def ready() -> bool:
        refusal = next(refusals)
        if refusal is not None:
            raise refusal
        return True

    clerk = hire("exec sleep 600", ready)
    clerk.start()
    clerk.wait_ready(_PATIENCE_S)


def test_the_log_of_an_earlier_start_is_not_shown_for_a_later_one(
    hire: Hire, tmp_path: Path
) -> None:
    clerk = hire("echo once; exec sleep 600", lambda: "once" in clerk.output())
    clerk.start()
    clerk.wait_ready(_PATIENCE_S)
    clerk.kill()
    clerk.start()
    clerk.wait_ready(_PATIENCE_S)
    assert clerk.last_lines() == "once"
    assert (tmp_path / "clerk.log").read_text() == "once\nonce\n"
    clerk.stop()


def test_stopping_lets_the_program_finish(hire: Hire, tmp_path: Path) -> None:
    clerk = hire(
        "trap 'echo farewell; exit 0' TERM; echo here; while :; do sleep 0.05; done",
        lambda: "here" in clerk.output(),
    )
    clerk.start()
    clerk.wait_ready(_PATIENCE_S)
    clerk.stop()
    assert "farewell" in (tmp_path / "clerk.log").read_text()


def test_stopping_kills_the_whole_group_of_a_program_that_will_not_end(hire: Hire) -> None:
    clerk = hire(
        "trap '' TERM; sleep 600 & echo here; while :; do sleep 0.05; done",
        lambda: "here" in clerk.output(),
    )
    clerk.start()
    clerk.wait_ready(_PATIENCE_S)
    pid = clerk.pid
    assert pid is not None
    assert len(_group(pid)) >= 3  # the program, its own child, the watcher
    clerk.stop(timeout_s=0.3)
    assert _eventually(lambda: not _group(pid))


def test_what_a_dead_program_left_behind_is_killed(hire: Hire) -> None:
    clerk = hire("sleep 600 & exit 1")
    clerk.start()
    pid = clerk.pid
    assert pid is not None
    assert _eventually(lambda: not clerk.alive)
    clerk.stop()
    assert _eventually(lambda: not _group(pid))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_dies_with_its_parent(parent: subprocess.Popen[str], how: signal.Signals) -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not _gone(child)
    parent.send_signal(how)
    parent.wait()
    assert _eventually(lambda: not _group(child))


def test_a_child_lives_on_when_the_thread_that_started_it_ends(hire: Hire) -> None:
    clerk = hire("exec sleep 600")
    starter = threading.Thread(target=clerk.start)
    starter.start()
    starter.join()
    time.sleep(0.2)
    assert clerk.alive
    clerk.kill()


def test_a_running_process_is_not_started_twice(hire: Hire) -> None:
    clerk = hire("exec sleep 600")
    clerk.start()
    with pytest.raises(RuntimeError, match="clerk runs already"):
        clerk.start()
