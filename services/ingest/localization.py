"""What ingest says to people: ``texts/<language>.po`` (see ``libs.runtime.texts``)."""

from pathlib import Path
from typing import Final

from libs.runtime.texts import COMMON, Texts

TEXTS: Final = Texts(Path(__file__).with_name("texts"), COMMON)
