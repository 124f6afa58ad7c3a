"""``/widget.js``: one file without dependencies, served as it is written."""

import gzip
import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCRIPT_PATH: Final = Path(__file__).parent.parent / "static" / "widget.js"
# The address that pages embed never changes, so what is behind it must be asked for again now and
# then; an address with the content's own version (?v=) stays the same for ever.
CHANGING: Final = "public, max-age=600, stale-while-revalidate=86400"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
_VERSION_LENGTH: Final = 16


def script_route() -> Route:
    plain = SCRIPT_PATH.read_bytes()
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
        return Response(body, headers=headers, media_type="text/javascript")

    return Route("/widget.js", script, methods=["GET"])
