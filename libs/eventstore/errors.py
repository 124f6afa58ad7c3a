"""What can stand against a commit or a load."""


class VersionConflict(Exception):
    """The stream has moved on since the writer loaded it: load again, decide again."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"{stream} has a newer version than the one decided on")
        self.stream = stream


class CauseRepeated(Exception):
    """A cause of the commit was applied to the stream before; `cause` is one such."""

    def __init__(self, stream: str, cause: str) -> None:
        super().__init__(f"{stream} has already had the effect of {cause}")
        self.stream = stream
        self.cause = cause


class CommitTooLarge(Exception):
    """The commit would pass the size limit; `size` and `limit` are bytes of the document."""

    def __init__(self, stream: str, size: int, limit: int) -> None:
        super().__init__(f"a commit of {stream} has {size} bytes, more than {limit}")
        self.stream = stream
        self.size = size
        self.limit = limit


class CommitUnfit(Exception):
    """The commit cannot be written down: it holds what no document can; `why` is of what kind."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"a commit of {stream} cannot be written down: {why}")
        self.stream = stream
        self.why = why


class CommitUnreadable(Exception):
    """What is stored cannot be read as a commit: `document_id` of `stream` ("" where it names
    none); `why` is of what kind."""

    def __init__(self, stream: str, document_id: object, why: str) -> None:
        super().__init__(f"{document_id!r} cannot be read as a commit: {why}")
        self.stream = stream
        self.document_id = document_id
        self.why = why


class StreamSetAside(Exception):
    """A commit of the stream could not be read, projected or published: nothing more is appended
    until somebody has mended it, or the code, and it was tried again. `why` is of what kind."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"{stream} is set aside: {why}")
        self.stream = stream
        self.why = why


class StopHere(Exception):
    """What a hook of the outbox's steps raises in place of the process's end: it is no failure of
    anything at hand, and comes through everywhere."""


class StreamBroken(Exception):
    """A commit is missing: the version `expected` is not there, though `found` is.

    Either the version asked from is not one at which a commit ends, or a document was removed.
    """

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(f"{stream} has no commit at {expected}, but one at {found}")
        self.stream = stream
        self.expected = expected
        self.found = found
