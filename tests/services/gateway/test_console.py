"""The gateway serves a built console beside the API."""

import gzip
from pathlib import Path

import aiohttp
import pytest

from libs.runtime.process import running
from libs.runtime.settings import load
from services.gateway.app import SERVICE
from services.gateway.console import NoConsole
from services.gateway.settings import GatewaySettings
from tests.support.gateway.suite import Suite

pytestmark = pytest.mark.servers

PAGE = "<!doctype html><title>Parley</title>"
SCRIPT = "export const answer = 42;\n" * 100


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "index-1a2b.js").write_text(SCRIPT)
    return tmp_path


async def test_the_page_its_parts_and_the_api_stand_side_by_side(suite: Suite, built: Path) -> None:
    told = suite.environment | {"PARLEY_GATEWAY_CONSOLE_FOLDER": str(built)}
    async with (
        running(SERVICE, load(GatewaySettings, told)) as (url, _),
        aiohttp.ClientSession(url, auto_decompress=False) as http,
    ):
        for path in ("/", "/conversations/cnv_1", "/?tab=mine"):
            async with http.get(path) as page:
                assert (page.status, await page.text(), page.content_type) == (
                    200,
                    PAGE,
                    "text/html",
                )
                assert page.headers["cache-control"] == "no-cache"
                policy = page.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert page.headers["x-content-type-options"] == "nosniff"
        async with http.get("/assets/index-1a2b.js") as script:
            assert script.content_type == "text/javascript"
            assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert script.headers["content-encoding"] == "gzip"
            assert gzip.decompress(await script.read()).decode() == SCRIPT
        for path in ("/assets/gone.js", "/v1/nothing"):
            async with http.get(path) as gone:
                assert gone.status in (401, 404)
                assert gone.content_type == "application/problem+json"
        async with http.post("/conversations/cnv_1") as refused:
            assert refused.status in (401, 404, 405)
        async with http.get("/v1/me") as api:
            assert api.status == 401
        async with http.get("/../keys.json") as outside:
            assert await outside.text() == PAGE


async def test_a_folder_without_a_console_is_refused_at_the_start(
    suite: Suite, tmp_path: Path
) -> None:
    told = suite.environment | {"PARLEY_GATEWAY_CONSOLE_FOLDER": str(tmp_path)}
    with pytest.raises(NoConsole, match="PARLEY_GATEWAY_CONSOLE_FOLDER"):
        async with running(SERVICE, load(GatewaySettings, told)):
            pass
