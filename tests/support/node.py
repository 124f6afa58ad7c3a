"""What the tests of TypeScript are installed and run with."""

from pathlib import Path
from typing import Final

from parley.node import installed as installed_into

TOP: Final = Path(__file__).resolve().parents[2]


def installed(package: Path) -> Path:
    """A folder with what the package's lock names, made once for each lock."""
    return installed_into(package, TOP / ".devstack" / package.name)
