"""``/widget.js``: one script without dependencies, its parts served as they are written."""

import gzip
import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER: Final = Path(__file__).with_name("static")
PARTS: Final = (
    "texts.js",
    "style.js",
    "start.js",
    "keeping.js",
    "client.js",
    "receiving.js",
    "view.js",
)
# The address that pages embed never changes, so what is behind it must be asked for again now and
# then; an address with the content's own version (?v=) stays the same for ever.
CHANGING: Final = "public, max-age=600, stale-while-revalidate=86400"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
_VERSION_LENGTH: Final = 16


def script_text() -> str:
    """The parts in one scope of their own, so that none of their names reaches the page, and

    nothing that they throw: what is wrong is a warning in the page's console, never its error.
    """
    parts = [(FOLDER / name).read_text("utf-8") for name in PARTS]
    told = "} catch (error) { console.warn(`Parley: ${error.message}`); }"
    return "\n".join(["(() => {", '"use strict";', "try {", *parts, told, "})();", ""])


def script_route() -> Route:
    plain = script_text().encode()
    compressed = gzip.compress(plain, mtime=0)
    version = hashlib.sha256(plain).hexdigest()[:_VERSION_LENGTH]

    async def script(request: Request) -> Response:
        as_gzip = "gzip" in request.headers.get("accept-encoding", "")
        etag = f'"{version}-gzip"' if as_gzip else f'"{version}"'
        headers = {
            "cache-control": IMMUTABLE if request.query_params.get("v") == version else CHANGING,
            "etag": etag,
            "vary": "accept-encoding",
            # Pages that isolate themselves (COEP) may load it all the same.
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if as_gzip:
            headers["content-encoding"] = "gzip"
        body = compressed if as_gzip else plain
        return Response(body, headers=headers, media_type="text/javascript; charset=utf-8")

    return Route("/widget.js", script, methods=["GET"])
