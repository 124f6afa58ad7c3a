"""Addresses that people give: none of them leads into our own network."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.runtime.outside import (
    NotOutside,
    PrivateAddress,
    check_host,
    checked_url,
    connector,
    is_public,
)

PRIVATE = [
    *("127.0.0.1", "127.8.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "0.0.0.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "shop.example"),
    *("0.255.0.1", "100.127.255.254", "192.0.0.8", "192.0.0.9", "192.0.2.1", "198.18.0.1"),
    *("198.19.255.1", "198.51.100.7", "203.0.113.7", "192.88.99.1", "192.175.48.1", "239.1.1.1"),
    # Addresses of IPv4 in all the clothes that IPv6 has for them, public ones too.
    *("::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b:1::7f00:1"),
    *("64:ff9b:1::808:808", "64:ff9b:1:ffff::1", "64:ff9b::a9fe:a9fe", "64:ff9b::c058:6301"),
    *("2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:20::1"),
    *("2a00:1450:4001::5efe:a00:1", "2a00:1450:4001::200:5efe:808:808", "fe80::5efe:10.0.0.1"),
    *("fec0::1", "feff::1", "fc00::1", "3fff::1", "100::1", "100:0:0:1::1", "5f00::1", "ff0e::1"),
    *("4000::1", "1::1", "2001:2::1", "2001:10::1", "2001:1::1", "2620:4f:8000::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_network(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2606:4700::1111",
        "1.1.1.1",
    ],
)
def test_what_is_of_the_public_network(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("", "crm.example/hook", "ftp://crm.example/", "https://", "https:///hook"),
        *("http://crm.example/hook", "https://user:secret@crm.example/", "https://crm.example/#x"),
        *("https://crm.example:99999/", "https://crm.example/a b", "https://crm.example\\@x/"),
        *("https://crm.example/\n", "https://крм.example/", "https://[::1", "file:///etc/passwd"),
        "https://crm.example/" + "x" * 2_000,
    ],
)
def test_an_address_has_the_form_of_one(url: str) -> None:
    with pytest.raises(NotOutside):
        checked_url(url, allow_private=False)


@pytest.mark.parametrize(
    "port",
    [
        *(0, 1, 22, 23, 25, 53, 88, 110, 389, 445, 1023, 2049, 2375, 3306, 5432, 6000, 6379),
        *(6667, 8123, 9092, 9200, 10250, 11211, 27017),
    ],
)
def test_a_port_is_one_of_the_web(port: int) -> None:
    with pytest.raises(NotOutside, match="port"):
        checked_url(f"https://crm.example:{port}/hook", allow_private=False)

    assert checked_url(f"https://crm.example:{port}/hook", allow_private=True)


@pytest.mark.parametrize("port", ["", ":443", ":80", ":3000", ":5678", ":8069", ":8443", ":49152"])
def test_a_port_may_be_any_where_sites_are(port: str) -> None:
    assert checked_url(f"https://crm.example{port}/hook", allow_private=False)


def test_where_private_networks_are_allowed_it_need_not_be_encrypted() -> None:
    assert checked_url("http://127.0.0.1:8080/hook", allow_private=True)
    assert checked_url("https://crm.example:8443/hook?of=us", allow_private=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "10.0.0.1"]
)
async def test_a_host_in_a_private_network_is_refused_when_it_is_given(host: str) -> None:
    with pytest.raises(NotOutside, match="private"):
        await check_host(f"https://{host}/hook", allow_private=False)

    await check_host(f"https://{host}/hook", allow_private=True)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="secret")

    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app)
    async with server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_connection_is_made_into_a_private_network(server: TestServer, host: str) -> None:
    url = f"http://{host}:{server.port}/"
    async with aiohttp.ClientSession(connector=connector(allow_private=False)) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.get(url)

    assert isinstance(refused.value.os_error, PrivateAddress)
    async with (
        aiohttp.ClientSession(connector=connector(allow_private=True)) as session,
        session.get(url) as answer,
    ):
        assert await answer.text() == "secret"
