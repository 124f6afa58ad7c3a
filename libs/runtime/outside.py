"""Calls to addresses that the people of a workspace give us: never into our own network.

Whoever may name an address could otherwise let us ask what only we can reach: a database, another
service, the metadata of a cloud's machine. An address is looked at when it is given, so that its
giver is told, and again for each connection: a name may lead elsewhere by then.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from libs.runtime.texts import COMMON

URL_MAX_CHARACTERS: Final = 2_000
_RESOLVE_SECONDS: Final = 5.0
# RFC 6052: what a translator makes of an address of IPv4.
_NAT64: Final = IPv6Network("64:ff9b::/96")

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class NotOutside(Exception):
    """Told who gave the address by ``invalid.<key>``; it never shows what the name leads to."""

    def __init__(self, key: str, **variables: str | int) -> None:
        super().__init__(key)
        self._key = key
        self._variables = variables

    def told(self) -> str:
        return COMMON.say(f"invalid.{self._key}", self._variables)


class PrivateAddress(OSError):
    """The connection would lead into a network that is not the public one."""


def checked_url(url: str, *, allow_private: bool) -> str:
    """The address as it was given. Errors: NotOutside, for its form alone."""
    schemes = ("https", "http") if allow_private else ("https",)
    if len(url) > URL_MAX_CHARACTERS:
        raise NotOutside("too-long", count=URL_MAX_CHARACTERS)
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        raise NotOutside("address-characters")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # a port that is none is told by looking
    except ValueError as error:
        raise NotOutside("address") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise NotOutside("address-scheme", schemes="|".join(schemes))
    if parts.username is not None or parts.password is not None:
        raise NotOutside("address-user")
    if parts.fragment:
        raise NotOutside("address-fragment")
    return url


async def check_host(url: str, *, allow_private: bool) -> None:
    """Where the name of a checked address leads to now. Errors: NotOutside."""
    if allow_private:
        return
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, parts.port or 443, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError) as error:
        raise NotOutside("address-host") from error
    if not all(is_public(info[4][0]) for info in found):
        raise NotOutside("address-private")


def is_public(text: object) -> bool:
    """Whether an address, as a socket has it, is one of the public network."""
    try:
        address = ip_address(str(text).partition("%")[0])
    except ValueError:
        return False
    embedded = _embedded(address) if isinstance(address, IPv6Address) else None
    if embedded is not None:
        return is_public(embedded)
    return address.is_global and not address.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def connector(*, allow_private: bool) -> aiohttp.TCPConnector:
    """For a client session. Its connections fail with PrivateAddress (in aiohttp's
    ClientConnectorError) where they would not lead outside; none is kept for a next request."""

    def connected(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not (allow_private or is_public(address[0])):
            raise PrivateAddress("the address is not of the public network")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(force_close=True, socket_factory=connected)
