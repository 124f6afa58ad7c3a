"""The console: the built page and its parts, from a folder, beside the API.

The files are read once. What is under ``assets/`` has its content's hash in its name and may be
kept for ever; any other address that the API does not have is the page, which knows by it where it
is.
"""

import gzip
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_PAGE: Final = "/index.html"
_ASSETS: Final = "/assets/"
# What the service answers itself, whoever asks.
_NOT_PAGES: Final = ("/v1/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/asyncapi.yaml")
# Scripts, styles and pictures of its own, and what it shows of files that it was given; nothing
# inline, nothing from elsewhere, and no page may frame it.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SMALL_BYTES: Final = 1024


class NoConsole(Exception):
    """The folder holds no built console."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes | None
    media_type: str
    lasting: bool

    def answer(self, accepted: str) -> Response:
        lasts = "public, max-age=31536000, immutable" if self.lasting else "no-cache"
        headers = {"content-security-policy": _POLICY, "cache-control": lasts}
        if self.compressed is None:
            return Response(self.content, headers=headers, media_type=self.media_type)
        headers["vary"] = "accept-encoding"
        if "gzip" not in accepted:
            return Response(self.content, headers=headers, media_type=self.media_type)
        headers["content-encoding"] = "gzip"
        return Response(self.compressed, headers=headers, media_type=self.media_type)


class Console:
    """Errors: NoConsole."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": _file(path, folder)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        if _PAGE not in self._files:
            raise NoConsole(f"PARLEY_GATEWAY_CONSOLE_FOLDER: {folder} holds no built console")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or path.startswith(_NOT_PAGES):
            return None
        file = self._files.get(path)
        if file is None and not path.startswith(_ASSETS):
            file = self._files[_PAGE]
        if file is None:
            return None
        return file.answer(Headers(scope=scope).get("accept-encoding", ""))


def _file(path: Path, folder: Path) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = media_type.startswith("text/") or media_type.endswith(("javascript", "json", "+xml"))
    return _File(
        content=content,
        compressed=gzip.compress(content) if is_text and len(content) > _SMALL_BYTES else None,
        media_type=media_type,
        lasting=path.relative_to(folder).parts[0] == _ASSETS.strip("/"),
    )
