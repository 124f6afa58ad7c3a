"""What the rules of the directory refuse, and how."""


class Refused(Exception):
    """A value that the rule for ``field`` does not allow; ``reason`` never shows the value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotThere(Exception):
    """The workspace has no such thing."""


class Clash(Exception):
    """Valid by itself, but not in the directory as it is now."""


class Again(Exception):
    """Others changed the same directory all the while, or Kafka has not acknowledged it yet."""
