"""Pigeon post: a third channel, of a package that Parley's own code knows nothing of.

It is as small as a channel can be, and has what Telegram and the widget have not: a signature over
the raw body, a handshake, batched bodies, a loft that is polled, texts measured in bytes, and no
registration. A process
finds it when ``INSTALLED`` is on its path, as it would a package that was installed.
"""

from pathlib import Path
from typing import Final

# The folder with the package's metadata, which names its entry points.
INSTALLED: Final = Path(__file__).with_name("installed")
# Where the post answers: the channel's own setting.
API_URL: Final = "PIGEON_API_URL"
