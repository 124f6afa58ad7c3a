"""``python -m parley.asyncapi``: write ``docs/asyncapi.yaml``, the services' Kafka in one document.

Each service serves its own part at ``/asyncapi.yaml``, where its operator reaches it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from libs.runtime.asyncapi import of_suite
from libs.runtime.settings import SERVICES
from libs.runtime.streams import Streams
from parley.services import service_spec

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "asyncapi.yaml"


def streams() -> Mapping[str, Streams]:
    """What each service declares, by its name."""
    return {name: service_spec(name).streams for name in SERVICES}


def main() -> None:
    DOCUMENT.write_text(of_suite(streams()))


if __name__ == "__main__":
    main()
