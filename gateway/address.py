"""Where a request comes from: the peer, or what a trusted proxy says of it. Nobody else's word is taken."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(peer: str, forwarded: Sequence[bytes], proxies: Sequence[Network]) -> str:
    """The client's address: the last one of X-Forwarded-For that is no trusted proxy's.

    Each proxy appends whom it heard, so only the right end can be believed. What is no address ends the walk at the
    one before it. An IPv4 address in IPv6's clothes is told as IPv4. Empty without a peer (a UNIX socket).
    """
    if not proxies:
        return _told(peer)
    address = _parse(peer)
    if address is None:
        return ""
    heard = [part for value in forwarded for part in value.decode("latin-1").split(",")]
    while any(address in network for network in proxies) and heard:
        further = _parse(heard.pop())
        if further is None:
            break
        address = further
    return str(address)


def throttled_as(address: str) -> str:
    """What attempts are counted under: an IPv6 client owns a whole /64, and can use a new address for each."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


@lru_cache(10_000)
def _told(text: str) -> str:
    """An address as it is told. Remembered: a client has one for all its requests."""
    address = _parse(text)
    return "" if address is None else str(address)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
