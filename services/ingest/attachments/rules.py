"""Which files the product takes: sizes, and no executables, by name or by content."""

from typing import Final

from libs.events.api.conversations import FILE_NAME_MAX_CHARACTERS
from libs.events.content import AttachmentKind
from services.ingest.localization import TEXTS

IMAGE_MAX_BYTES: Final = 3 * 1024 * 1024
FILE_MAX_BYTES: Final = 100 * 1024 * 1024
# So much of a file's beginning and of its end is looked at.
HEAD_BYTES: Final = 16
TAIL_BYTES: Final = 512

_REFUSED_ENDINGS: Final = frozenset(
    ("exe", "dmg", "msi", "com", "scr", "pif", "bat", "cmd", "ps1", "vbs", "jar", "app", "pkg")
)
# PE and DOS; ELF; Mach-O of 32 and 64 bits in both byte orders, and for several processors at once
# (which is Java's class file too).
_EXECUTABLE_HEADS: Final = (
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
# An Apple disk image is told by its trailer of 512 bytes.
_DISK_IMAGE_TRAILER: Final = b"koly"


class RefusedFile(Exception):
    """``told`` the one who sends the file of ``field``: its name, or the file itself."""

    def __init__(self, field: str, key: str, **variables: str | int) -> None:
        self.field = field
        self.told = TEXTS.say(f"invalid.{key}", variables)
        super().__init__(f"{field}: {self.told}")


def check_name(file_name: str) -> None:
    """Errors: RefusedFile."""
    if len(file_name) > FILE_NAME_MAX_CHARACTERS:
        raise RefusedFile("file_name", "too-long", count=FILE_NAME_MAX_CHARACTERS)
    if not file_name.isprintable():
        raise RefusedFile("file_name", "unprintable")
    ending = file_name.rstrip(" .").rpartition(".")[2].lower()
    if ending in _REFUSED_ENDINGS:
        raise RefusedFile("file_name", "ending", ending=ending)


def check_head(head: bytes) -> None:
    """``head``: the file's first HEAD_BYTES. Errors: RefusedFile."""
    if head.startswith(_EXECUTABLE_HEADS):
        raise RefusedFile("file", "program")


def check_tail(tail: bytes) -> None:
    """``tail``: the file's last TAIL_BYTES. Errors: RefusedFile."""
    if tail.startswith(_DISK_IMAGE_TRAILER):
        raise RefusedFile("file", "disk-image")


def image_type(head: bytes) -> str | None:
    """The media type of an image that every channel shows; by content, not by its claim."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def kind_of(media_type: str, head: bytes) -> AttachmentKind:
    if image_type(head) is not None:
        return "image"
    match media_type.partition("/")[0]:
        case "video":
            return "video"
        case "audio":
            return "audio"
    return "file"


def limit_of(kind: AttachmentKind) -> int:
    return IMAGE_MAX_BYTES if kind == "image" else FILE_MAX_BYTES
