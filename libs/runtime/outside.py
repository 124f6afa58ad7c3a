"""Calls to addresses that the people of a workspace give us: never into our own network.

Whoever may name an address could otherwise let us ask what only we can reach: a database, another
service, the metadata of a cloud's machine. An address is looked at when it is given, so that its
giver is told, and again for each connection: a name may lead elsewhere by then.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from libs.runtime.texts import COMMON

URL_MAX_CHARACTERS: Final = 2_000
_RESOLVE_SECONDS: Final = 5.0
# RFC 6052: what a translator makes of an address of IPv4, on machines that have IPv6 alone.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# All that IANA has given out for IPv6; what is not in it (unique local, site local, compatible and
# translated addresses of IPv4, NAT64 of a network's own) is nobody's on the public network.
_GIVEN_OUT: Final = IPv6Network("2000::/3")
# IANA's registries of special addresses, beyond what ``is_global`` knows in every Python: that
# knowledge came with patch releases.
_SPECIAL_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols: Teredo (which carries an address of IPv4), ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, given up in RFC 7526: carries an address of IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_SPECIAL_4: Final = tuple(
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    )
)
# RFC 5214: the interface's half of an ISATAP address, before the address of IPv4 in it.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})

# Below 1024 only the web's own. Above, neither what browsers refuse (the Fetch standard's "bad
# ports") nor where databases, brokers and machines' managers listen: who takes a POST there takes
# it for something else.
_FIRST_FREE_PORT: Final = 1024
_WEB_PORTS: Final = frozenset({80, 443})
_NOT_WEB: Final = frozenset(
    {
        *(1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
        *(1433, 1434, 1521, 3306, 5432, 6432, 5984, 6379, 6380, 11211, 26379, 27017, 27018, 27019),
        *(7000, 7001, 7199, 7473, 7474, 7687, 8086, 8123, 9000, 9042, 9160, 9200, 9300, 50000),
        *(1883, 2181, 4222, 5671, 5672, 8883, 9092, 9093, 9094, 15672, 61613, 61616),
        *(2375, 2376, 2377, 2379, 2380, 6443, 10250, 10255, 8200, 8300, 8301, 8500, 8600),
        *(3128, 3389, 5900, 5901, 5985, 5986, 8009, 9100, 9418),
    }
)

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
        port = parts.port
    except ValueError as error:
        raise NotOutside("address") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise NotOutside("address-scheme", schemes="|".join(schemes))
    if parts.username is not None or parts.password is not None:
        raise NotOutside("address-user")
    if parts.fragment:
        raise NotOutside("address-fragment")
    if not (allow_private or port is None or is_web_port(port)):
        raise NotOutside("address-port", port=port)
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
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _SPECIAL_4)
    # A socket that is given one of these reaches the address of IPv4.
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return (
        address in _GIVEN_OUT
        and address.is_global
        and not any(address in network for network in _SPECIAL_6)
        and int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP
    )


def is_web_port(port: int) -> bool:
    """Whether something that speaks HTTP may be expected there."""
    return port in _WEB_PORTS or (port >= _FIRST_FREE_PORT and port not in _NOT_WEB)


def connector(*, allow_private: bool) -> aiohttp.TCPConnector:
    """For a client session. Its connections fail with PrivateAddress (in aiohttp's
    ClientConnectorError) where they would not lead outside; none is kept for a next request."""

    def connected(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not (allow_private or (is_public(address[0]) and is_web_port(address[1]))):
            raise PrivateAddress("the address is not of the public network's web")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(force_close=True, socket_factory=connected)
