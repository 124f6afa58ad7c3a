"""The suite under load, and what may be killed of it."""

from dataclasses import dataclass

from parley.doubles.bot_api import BotApiDouble
from parley.suite import Suite
from tests.support.crash.gate import Gate
from tests.support.crash.parts import Parts


@dataclass(frozen=True)
class World:
    """The suite, the servers under it, and what stands for Telegram."""

    suite: Suite
    parts: Parts
    telegram: BotApiDouble
    gate: Gate
