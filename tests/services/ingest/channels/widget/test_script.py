"""What is behind ``/widget.js``."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from services.ingest.channels.widget.script import CHANGING, IMMUTABLE, script_text
from tests.support.ingest.widget.stack import Stack

MAX_GZIPPED_BYTES = 15_000


def test_it_is_small() -> None:
    assert len(gzip.compress(script_text().encode())) < MAX_GZIPPED_BYTES


def test_it_never_reads_text_as_markup() -> None:
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert forbidden not in script_text()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to read the script")
def test_it_parses(tmp_path: Path) -> None:
    script = tmp_path / "widget.js"
    script.write_text(script_text())
    subprocess.run(["node", "--check", str(script)], check=True)


@pytest.mark.servers
async def test_it_is_served_with_a_tag_and_not_sent_twice(stack: Stack) -> None:
    async with stack.http.get(f"{stack.url}/widget.js") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/javascript"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == CHANGING
        assert await answer.text() == script_text()
        etag = answer.headers["etag"]

    async with stack.http.get(f"{stack.url}/widget.js", headers={"if-none-match": etag}) as answer:
        assert answer.status == 304
        assert await answer.read() == b""

    version = etag.strip('"').removesuffix("-gzip")
    async with stack.http.get(
        f"{stack.url}/widget.js?v={version}", headers={"accept-encoding": "identity"}
    ) as answer:
        assert answer.headers["cache-control"] == IMMUTABLE
        assert "content-encoding" not in answer.headers
        assert answer.headers["etag"] != etag
