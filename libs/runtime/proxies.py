"""Which proxies' word is taken for who a client is.

A proxy that is trusted says in ``X-Forwarded-For`` where a request came from, and adds to what is
there: so the client is the last address in it that is no trusted proxy's. The header of anybody
else is ignored. ``Forwarded`` (RFC 7239) is not read: the two may disagree, proxies that write it
write the other too, and of a header that no proxy of an installation knows a client may write what
it likes.
"""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import Final

Network = IPv4Network | IPv6Network

# Networks that nobody has for their proxies alone. What is private may be as wide as it is.
_SHORTEST_PREFIX: Final = {4: 8, 6: 16}
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
# In each of them is all of IPv4.
_ALL_OF_IPV4: Final = (_MAPPED, IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"))


def trusted_networks(text: str) -> tuple[Network, ...]:
    """Addresses and CIDRs, separated by commas. Errors: ValueError, a sentence."""
    networks = [_network(part.strip()) for part in text.split(",") if part.strip()]
    merged: list[Network] = [
        *collapse_addresses(n for n in networks if isinstance(n, IPv4Network)),
        *collapse_addresses(n for n in networks if isinstance(n, IPv6Network)),
    ]
    for network in merged:
        if _is_everybody(network):
            raise ValueError(f"{network} is (nearly) everybody: name the proxies alone")
    return tuple(merged)


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address and no CIDR such as 10.1.2.0/24") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network


def _is_everybody(network: Network) -> bool:
    if isinstance(network, IPv6Network) and any(network.overlaps(one) for one in _ALL_OF_IPV4):
        return True
    is_wide = network.prefixlen < _SHORTEST_PREFIX[network.version]
    return is_wide and not network.is_private


def as_written(networks: Iterable[Network]) -> list[str]:
    """As peers' addresses may be written, where a socket of IPv6 takes IPv4 too."""
    written: list[str] = []
    for network in networks:
        written.append(str(network))
        if isinstance(network, IPv4Network):
            length = network.prefixlen + _MAPPED.prefixlen
            written.append(f"::ffff:{network.network_address}/{length}")
    return written


def is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
