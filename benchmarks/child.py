"""A small server of the benchmark in a process of its own, asked a line at a time."""

import subprocess
import sys
from types import TracebackType
from typing import Self


class Child:
    """``python -m MODULE ARGUMENTS``: it prints its address, then a line for each line it reads.

    It is started on entering and ends with its input, so also when this process dies.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self.url = ""
        self.pid = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.url = self._line()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with self._process:
            self._process.communicate()

    def ask(self) -> str:
        asking = self._process.stdin
        assert asking is not None
        asking.write("\n")
        asking.flush()
        return self._line()

    def _line(self) -> str:
        answers = self._process.stdout
        assert answers is not None
        line = answers.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended")
        return line
