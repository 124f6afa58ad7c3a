"""The types of what people write in requests: whoever reads a request gets it in its one form.

``libs.runtime.bodies`` applies what a type is ``made`` by. A ``str`` that is none of these is kept
as it is, but for NUL, which not everything can hold.
"""

from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta

from libs.events.words import checked_line, checked_name, line_of, text_of
from libs.events.zones import checked_zone

MADE: Final = "made"


def _made(make: Callable[[str], str], **schema: int) -> Meta:
    return Meta(extra={MADE: make}, extra_json_schema=schema or None)


# One line, which may be empty; one that says something; several lines, which may be empty.
Line = Annotated[str, _made(checked_line)]
Name = Annotated[str, _made(checked_name, minLength=1)]
# One line as far as it can be made one; whoever reads it says what is wrong with it.
Tag = Annotated[str, _made(line_of)]
Text = Annotated[str, _made(text_of)]
# Of the IANA database.
TimeZone = Annotated[str, _made(checked_zone)]
# One value, or several of which any will do: in a query the parameter is repeated.
VALUES_AT_MOST: Final = 30
# Of any list that is answered in pages.
PAGE_AT_MOST: Final = 500
PageLimit = Annotated[int, Meta(ge=1, le=PAGE_AT_MOST)]
type AnyOf[T] = T | Annotated[tuple[T, ...], Meta(min_length=1, max_length=VALUES_AT_MOST)]
