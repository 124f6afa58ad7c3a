"""What the tests of TypeScript are installed and run with."""

from pathlib import Path
from typing import Final

from parley.node import installed as installed_into
from parley.node import node
from parley.openapi import DOCUMENT

TOP: Final = Path(__file__).resolve().parents[2]


def installed(package: Path) -> Path:
    """A folder with what the package's lock names, made once for each lock."""
    return installed_into(package, TOP / ".devstack" / package.name)


def with_the_shapes_of_the_api(folder: Path, sources: Path) -> None:
    """``schema.d.ts`` among the sources of the typed client, as its own script makes it; by the
    tools that are installed in ``folder``."""
    made = node(
        folder,
        *("node_modules/openapi-typescript/bin/cli.js", DOCUMENT),
        *("--default-non-nullable", "false", "-o", sources / "schema.d.ts"),
    )
    assert made.returncode == 0, made.stderr
