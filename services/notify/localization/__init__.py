"""What notify writes to members: ``<language>.po`` beside it (see ``libs.runtime.texts``)."""

from pathlib import Path
from typing import Final

from libs.runtime.texts import COMMON, Texts

TEXTS: Final = Texts(Path(__file__).parent, COMMON)
