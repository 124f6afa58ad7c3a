"""The states that rows of the read models hold, read back."""

from collections.abc import Mapping
from typing import Any

import msgspec

from libs.aggregates.aggregate import Snapshot


class UnreadableRow(Exception):
    """A row of a read model does not hold what it ought to; a rebuild makes it anew."""

    def __init__(self, row_id: object, why: str) -> None:
        super().__init__(f"the row {row_id} cannot be read: {why}")


def state_in[S](
    decoder: msgspec.msgpack.Decoder[S], part: Mapping[str, Any], row_id: object
) -> Snapshot[S]:
    """The snapshot that a row, or a part of one, holds; without its head where that was not asked
    for. Errors: UnreadableRow."""
    try:
        state = decoder.decode(part["state"])
        return Snapshot(part["v"], part["recorded_at"], state, part.get("head", b""))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRow(row_id, type(error).__name__) from error
