"""As whom ingest publishes."""

from typing import Final

EVENT_SOURCE: Final = "/parley/ingest"
