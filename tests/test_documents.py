"""What the documents name is there."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
# The decisions are history: they name what there was.
DOCUMENTS: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "services").glob("*/README.md"),
        *(ROOT / "libs").glob("*/README.md"),
    )
    if path.name != "CHANGELOG.md"
)
# Not kept: a run of the benchmarks writes it.
WRITTEN: Final = {"benchmarks/results/latest.json"}
_TOPS: Final = "services|libs|tests|docs|parley|benchmarks|deploy"
_PATH: Final = re.compile(rf"`((?:{_TOPS})/[\w./-]+?)/?`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_is_there(document: str) -> None:
    named = set(_PATH.findall((ROOT / document).read_text()))

    # A decision is named by its number alone.
    assert sorted(path for path in named - WRITTEN if not any(ROOT.glob(f"{path}*"))) == []


def test_the_walk_through_names_files() -> None:
    """The pattern above finds what it is for."""
    assert len(_PATH.findall((ROOT / "docs/architecture.md").read_text())) > 40
