"""API keys: their form, limits and expiry."""

import binascii
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from auth_service.domain.errors import KeyTooWide
from auth_service.domain.keys import ApiKey
from auth_service.policy.names import invalid
from chassis.errors import Violation

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LIMIT_NAMES = (
    "requests_per_minute",
    "tokens_per_minute",
    "requests_per_day",
    "tokens_per_day",
    "concurrent_requests",
    "storage_bytes",
    "characters_per_minute",
    "characters_per_day",
    "audio_seconds_per_minute",
    "audio_seconds_per_day",
)
MAX_LIMIT = 2**53
MAX_OVERLAP_SECONDS = 604_800
MAX_CACHE_SECONDS = 2_592_000
MAX_RESTRICTIONS = 64
"""Models, or networks, that a key may name."""
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"aisp_(?:live|test)_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


def check_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """A key's own limits; InvalidArgument for an unknown name or a number out of bounds."""
    for name, value in limits.items():
        if name not in LIMIT_NAMES:
            raise invalid("limits", f"{name[:64]} is not a limit; choose from {', '.join(LIMIT_NAMES)}")
        # Audio is counted in milliseconds.
        if not 0 <= value <= (MAX_LIMIT // 1000 if name.startswith("audio_seconds") else MAX_LIMIT):
            raise invalid("limits", f"{name} must be from 0 to 2^53 of what is counted")
    return dict(limits)


def check_models(models: Sequence[str]) -> tuple[str, ...]:
    """The models that a key may use; InvalidArgument for what cannot be the name of one, or too many."""
    if len(models) > MAX_RESTRICTIONS:
        raise invalid("models", f"must be at most {MAX_RESTRICTIONS}")
    if wrong := [name for name in models if not _MODEL.fullmatch(name)]:
        raise invalid("models", f"{wrong[0][:64]!r} cannot be the name of a model")
    return tuple(dict.fromkeys(models))


def check_networks(networks: Sequence[str]) -> tuple[str, ...]:
    """The networks that a key may be used from, in their normal form; InvalidArgument for what is no CIDR."""
    if len(networks) > MAX_RESTRICTIONS:
        raise invalid("networks", f"must be at most {MAX_RESTRICTIONS}")
    found = []
    for text in networks:
        try:
            found.append(str(_plain(ipaddress.ip_network(text))))
        except ValueError as error:
            problem = f"{text[:64]!r} is no network such as 192.0.2.0/24 or 2001:db8::/32 (host bits must be zero)"
            raise invalid("networks", problem) from error
    return tuple(dict.fromkeys(found))


def check_cache(seconds: int) -> int:
    """For how long a key has answers kept; InvalidArgument."""
    if not 0 <= seconds <= MAX_CACHE_SECONDS:
        raise invalid("answer_cache_seconds", f"must be from 0 to {MAX_CACHE_SECONDS}")
    return seconds


def within(parent: ApiKey, child: ApiKey) -> ApiKey:
    """The key that `parent` may make when asked for `child`: what it says nothing of, it gets from its parent.

    KeyTooWide if it asks for more than its parent has.
    """
    models = child.models or parent.models
    networks = child.networks or parent.networks
    limits = {**parent.limits, **child.limits}
    expires_at = child.expires_at or parent.expires_at
    too_wide = {
        "models": parent.models and not set(models) <= set(parent.models),
        "networks": parent.networks and not all(_inside(one, parent.networks) for one in networks),
        "limits": any(limits[name] > most for name, most in parent.limits.items()),
        "expires_at": parent.expires_at and expires_at and expires_at > parent.expires_at,
    }
    if fields := [name for name, wide in too_wide.items() if wide]:
        raise KeyTooWide(violations=[Violation(name, "goes beyond those of the key that makes it") for name in fields])
    version = child.version or (1 if limits else 0)
    return replace(child, models=models, networks=networks, limits=limits, expires_at=expires_at, version=version)


def _inside(network: str, allowed: Sequence[str]) -> bool:
    inner = ipaddress.ip_network(network)
    return any(
        inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version
        for outer in map(ipaddress.ip_network, allowed)
    )


def _plain(network: Network) -> Network:
    """An IPv4 network in IPv6's clothes as what it is: so addresses are told, too."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """InvalidArgument if a key would be born dead."""
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "must lie in the future")


def new_key_id() -> str:
    """16 random characters: 95 bits."""
    return "".join(secrets.choice(_BASE62) for _ in range(16))


def new_key_secret(key_id: str, *, live: bool) -> str:
    """A whole key: aisp_<env>_<id>_<secret><checksum>. The secret has 256 bits."""
    head = f"aisp_{'live' if live else 'test'}_{key_id}_"
    body = head + "".join(secrets.choice(_BASE62) for _ in range(43))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Six characters by which typing errors and secret scanners recognise a key without a lookup (CRC-32)."""
    number, digits = binascii.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def key_id_of(secret: str) -> str | None:
    """The id inside a presented key, or None if it is not of our form."""
    match = _KEY.fullmatch(secret) if len(secret) <= 200 else None
    if match is None or not hmac.compare_digest(checksum(secret[:-6]), match[3]):
        return None
    return match[1]
