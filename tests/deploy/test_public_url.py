"""`parley doctor --public-url`: what keeps Telegram from reaching ingest, in words."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.devstack.ports import free_port
from parley.doctor import examine_public_url


async def answering(text: str, status: int = 200) -> TestServer:
    """A server of which every page says ``text``."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    return server


async def test_what_is_not_https_is_said_though_it_is_reached() -> None:
    server = await answering("ok")
    url = f"http://127.0.0.1:{server.port}"

    findings = await examine_public_url(url)

    await server.close()
    assert findings == [f"{url} is not https, and Telegram calls nothing else"]


@pytest.mark.parametrize(("text", "status"), [("a tunnel without an end", 502), ("Welcome", 200)])
async def test_a_tunnel_that_leads_elsewhere_is_told(text: str, status: int) -> None:
    server = await answering(text, status)

    [_https, elsewhere] = await examine_public_url(f"http://127.0.0.1:{server.port}/")

    await server.close()
    assert elsewhere.endswith(f"leads elsewhere than to ingest: /healthz is answered {status}")


async def test_nobody_there_and_a_port_that_telegram_does_not_call() -> None:
    url = f"https://127.0.0.1:{free_port()}"

    [port, away] = await examine_public_url(url)

    assert port.endswith("Telegram calls 443, 80, 88, 8443 only")
    assert away.startswith(f"{url} is not reached: ")
