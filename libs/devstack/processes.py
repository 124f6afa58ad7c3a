"""One child process, which cannot outlive the one that started it.

How that is made sure: every child gets the reading end of a pipe whose only writing end stays here.
A small watcher in the child's process group waits on it and kills the group at its end of file,
which comes when this process ends, however it ends, also by ``kill -9``. That holds on every Unix,
and for children started from any thread (Linux's PR_SET_PDEATHSIG fires when the *thread* ends).
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_POLL_S: Final = 0.02

# The watcher takes its descriptor before the shell gives background jobs /dev/null for input, and
# it ignores what asks the group to end: it must be the last to go. The shell becomes the server.
_LAUNCHER: Final = """
exec 3<&0
(trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&- </dev/null "$@"
"""


class ProcessFailed(Exception):
    """A process died or did not become ready; the message ends with the last lines of its log."""


class ManagedProcess:
    """A program in its own session and process group, its output appended to a file.

    ``ready`` is asked again and again until it says yes; a refused or broken connection in it
    (``OSError``) counts as no. ``keep_open`` are descriptors that the program inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_path: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._command = list(command)
        self._ready = ready
        self._environment = None if environment is None else dict(environment)
        self._working_folder = working_folder
        self._keep_open = tuple(keep_open)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: IO[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The program's own process id; None unless it was started and not yet stopped."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program, again if it died or was killed. Errors: RuntimeError when it runs."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        self._let_go()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        try:
            with self.log_path.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603  # our own command, no shell syntax in it
                    ["/bin/sh", "-c", _LAUNCHER, self.name, *self._command],
                    stdin=reading,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=self._working_folder,
                    start_new_session=True,
                    pass_fds=self._keep_open,
                )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._lifeline = os.fdopen(writing, "wb", buffering=0)

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the program answers. Errors: ProcessFailed when it dies or is late."""
        deadline = time.monotonic() + timeout_s
        while self.alive:
            with contextlib.suppress(OSError):
                if self._ready():
                    return
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"{self.name} was not ready after {timeout_s:g} s; the end of its log:\n"
                    f"{self.last_lines()}"
                )
            time.sleep(_POLL_S)
        raise self.failure()

    def failure(self) -> ProcessFailed:
        """What to say about this process when it is found dead."""
        code = None if self._process is None else self._process.returncode
        return ProcessFailed(
            f"{self.name} ended with {_cause(code)}; the end of its log:\n{self.last_lines()}"
        )

    def stop(self, timeout_s: float = 10) -> None:
        """Ask the program to end, and kill its group when it has not within ``timeout_s``."""
        if self._process is not None and self.alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kill the program and all of its group at once, as a crash would."""
        if self._process is not None and self.alive:
            # The group lives as long as its unreaped leader does, so this cannot meet another's.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._let_go()

    def last_lines(self, n: int = 30) -> str:
        """The last ``n`` lines that the program wrote since its latest start."""
        return "\n".join(self.output().splitlines()[-n:])

    def output(self) -> str:
        """All that the program wrote since its latest start."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _let_go(self) -> None:
        """Cut the lifeline: whatever is left of the group, at least the watcher, is killed."""
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
        self._process = None


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"status {code}"
