"""What is stored is written down: every collection, whose it is, and what bounds it."""

import re
from pathlib import Path

from libs.runtime.settings import SERVICES
from parley.stored import COLLECTIONS, PAGE, page

ROOT = Path(__file__).parents[2]
# A collection's name as the services write it: their own, an underscore, and words.
NAME = re.compile(rf'"((?:{"|".join(SERVICES)})_[a-z_]+)"')
OPENED = re.compile(r"database\[\"([a-z_]+)\"\]")


def test_the_page_is_what_the_program_knows() -> None:
    assert PAGE.read_text() == page(), "python -m parley.stored"


def test_each_has_its_bound_and_its_owner() -> None:
    for name, one in COLLECTIONS.items():
        assert name.startswith(f"{one.service}_")
        assert one.what
        assert one.bound


def test_every_collection_that_a_service_opens_is_there() -> None:
    opened = set()
    for path in (ROOT / "services").rglob("*.py"):
        text = path.read_text()
        constants = re.findall(r'^[A-Z_]+: Final = "([a-z]+_[a-z_]+)"$', text, re.MULTILINE)
        opened |= set(OPENED.findall(text))
        opened |= {one for one in constants if one in COLLECTIONS or NAME.fullmatch(f'"{one}"')}

    assert opened <= set(COLLECTIONS)
    written = {name for name, one in COLLECTIONS.items() if one.service in SERVICES}
    assert {one for one in written if not one.endswith("_rebuilt")} <= opened
