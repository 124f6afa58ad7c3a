"""Albums, as the Bot API takes and refuses them.

Source: https://core.telegram.org/bots/api#sendmediagroup
"""

import json
from typing import Final

from parley.doubles.bot import Fields, Refusal

# The name that an uploaded file had, and its bytes.
type File = tuple[str, bytes]
type Files = dict[str, File]

_AT_MOST: Final = 10
_ATTACHED: Final = "attach://"
_VISUAL: Final = frozenset({"photo", "video", "live_photo"})
_ALONE: Final = ("document", "audio")


def album_of(fields: Fields) -> list[Fields]:
    """Errors: Refusal."""
    media = fields.get("media")
    if media is None:
        raise Refusal(400, 'Bad Request: parameter "media" is required')
    try:
        items: list[Fields] = json.loads(media) if isinstance(media, str) else media
    except ValueError as error:
        raise Refusal(400, "Bad Request: can't parse media JSON object") from error
    if not items:
        raise Refusal(400, "Bad Request: there are no messages to send")
    if len(items) > _AT_MOST:
        raise Refusal(400, "Bad Request: too many messages to send as an album")
    kinds = {item.get("type") for item in items}
    for kind in kinds - _VISUAL - set(_ALONE):
        raise Refusal(400, f'Bad Request: can\'t parse InputMedia: type "{kind}" is unsupported')
    for kind in _ALONE:
        if kind in kinds and len(kinds) > 1:
            raise Refusal(400, f"Bad Request: {kind} can't be mixed with other media types")
    return items


def file_of(item: Fields, files: Files) -> File:
    """Errors: Refusal."""
    media = str(item.get("media", ""))
    found = files.get(media.removeprefix(_ATTACHED)) if media.startswith(_ATTACHED) else None
    if found is None:
        raise Refusal(400, "Bad Request: can't parse InputMedia: media not found")
    return found
