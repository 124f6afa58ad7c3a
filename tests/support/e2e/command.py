"""The command line, as an operator types it."""

import asyncio
import sys

from parley.suite import Suite


async def parley(suite: Suite, *words: str, **settings: str) -> tuple[int | None, bytes, str]:
    """The command line with the suite's environment: status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parley", *words,
        env=suite.settings | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    return process.returncode, out, error.decode()
