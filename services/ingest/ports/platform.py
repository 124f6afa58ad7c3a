"""How a call of a platform's API can fail: what whoever called must tell apart."""


class PlatformRefused(Exception):
    """The platform understood and will not; ``description`` is in its words."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class FileTooLarge(Exception):
    """The file is larger than the platform gives, or than was asked for."""


class RateLimited(Exception):
    """Not taken; nothing may be sent for ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after}")
        self.retry_after = retry_after


class NotReached(Exception):
    """No connection: the request was certainly not received."""


class NoAnswer(Exception):
    """Sent, and no answer that says what became of it: it may have been carried out."""


# What passes: the same call may be taken later.
PASSING = (RateLimited, NotReached, NoAnswer)
