"""Where a request comes from, behind proxies that are known to tell the truth."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from modelyard.errors import ConfigurationError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that an operator wrote: addresses, or networks as 10.0.0.0/8. Raises ConfigurationError."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise ConfigurationError(
            f"MODELYARD_TRUSTED_PROXIES: {error}. Expected addresses such as 10.0.0.0/8."
        ) from error


def caller_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the caller's address: the last one that no trusted proxy vouches for. `forwarded_for` is the header."""
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address[:100]


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    return any(found in network for network in networks)
