"""What the rules of the directory refuse, and how."""


class InvalidValue(Exception):
    """A value that the rule for ``field`` does not allow, told by the text ``invalid.<key>`` with
    its ``variables``. It never shows the value."""

    def __init__(self, field: str, key: str, **variables: str | int) -> None:
        super().__init__(f"{field}: {key}")
        self.field = field
        self.key = key
        self.variables = variables


class NotThere(Exception):
    """The workspace has no such thing."""


class Clash(Exception):
    """Valid by itself, but not in the directory as it is now: the text ``conflict.<key>``."""

    def __init__(self, key: str, **variables: str | int) -> None:
        super().__init__(key)
        self.key = key
        self.variables = variables


class Beyond(Exception):
    """It would give, change or take away more than who asks for it has."""
