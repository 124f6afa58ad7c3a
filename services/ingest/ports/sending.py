"""A channel's way out: its sender, and how an attempt to send can end."""

from dataclasses import dataclass
from typing import Literal, Protocol

from libs.events.credentials import Credentials
from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested, OutboundRequested
from services.ingest.sources import OpenSource

Correction = OutboundEditRequested | OutboundDeleteRequested
Request = OutboundRequested | Correction


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took all parts; ``external_ids`` are its ids of them, in order."""

    external_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The platform refused, in its own words; ``external_ids`` are parts that it had taken."""

    code: str
    reason: str
    external_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody knows whether the platform took it: it must not be sent again by itself."""

    code: str
    reason: str
    external_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """The next part was certainly not taken; those in ``external_ids`` were.

    ``rate``: the platform asked for a pause, which the sender's ``ready`` will keep.
    ``network``: the platform was not reached.
    """

    why: Literal["rate", "network"]
    external_ids: tuple[str, ...] = ()


Ending = Sent | Failed | Uncertain
SendOutcome = Ending | Later


class ChannelSender[C: Credentials](Protocol):
    """One channel's way out."""

    async def ready(self, source: OpenSource[C], request: Request) -> None:
        """Return when the platform's rates allow the next part. Nothing is sent yet."""

    async def send(
        self, source: OpenSource[C], request: OutboundRequested, done: tuple[str, ...]
    ) -> SendOutcome:
        """Send what is left; ``done`` are the platform's ids of the parts already taken.

        Called after ``ready`` and once the attempt is durable.
        """

    async def correct(self, source: OpenSource[C], request: Correction) -> Sent | Failed | Later:
        """Edit or delete what was sent. Called as ``send`` is, and again after a crash."""
