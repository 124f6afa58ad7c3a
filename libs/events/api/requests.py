"""What all bodies of requests have in common."""

from typing import ClassVar

from libs.events.registry import Body


class RequestBody(Body, forbid_unknown_fields=True):
    """Base of what may be asked for: a field that is not declared is refused, not ignored.

    ``SAYS_ONE_OF``: of these fields one has to say something, which whoever reads the request sees
    to; OpenAPI tells it.
    """

    SAYS_ONE_OF: ClassVar[tuple[str, ...]] = ()
