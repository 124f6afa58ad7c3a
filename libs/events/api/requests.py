"""What all bodies of requests have in common."""

from libs.events.registry import Body


class RequestBody(Body, forbid_unknown_fields=True):
    """Base of what may be asked for: a field that is not declared is refused, not ignored."""
