"""Calls to addresses that somebody else chose: a webhook's, a tenant's own provider, an issuer's keys.

Owns what such an address may lead to. A name is resolved once, by the connector that dials; what it dials is judged
by our own deny list (RFC 6890 and the registries of special addresses, tunnels and clouds' metadata included), so a
name that answers differently the second time, or a number in another notation, gains nothing. Redirects are not
followed, variables that name a proxy are not read, and an answer is counted while it is read, decompressed.

`check_url` is for the moment when somebody enters an address, `guarded` for `chassis.http` (a provider that streams),
`Outbound` for everything that asks and answers once.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from chassis.errors import InvalidArgument, Unavailable, Violation
from chassis.settings import OutboundSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DENIED_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's wire server, on a public address
        "169.254.0.0/16",  # link-local; clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""Outside of it are loopback, v4-mapped, NAT64, unique local, link-local, site-local, multicast and the unassigned."""
DENIED_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
PRIVATE_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "invalid", "test", "onion")
MAX_URL_CHARACTERS = 2048
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


class UrlRefused(InvalidArgument):
    reason = "URL_REFUSED"
    message = "This URL is not one that the platform calls."


class AddressRefused(InvalidArgument):
    reason = "ADDRESS_REFUSED"
    message = "This address may not be reached from here: it does not lead to a public server."


class OutboundFailed(Unavailable):
    reason = "OUTBOUND_FAILED"
    message = "The other side does not answer as it should."


class AnswerTooLarge(InvalidArgument):
    reason = "ANSWER_TOO_LARGE"
    message = "The other side's answer is larger than is read."


class _Denied(OSError):
    """An address that may not be dialled; an OSError, since it passes through a connector."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` decompressed, header names in lower case, the last of a repeated one."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def permitted(address: Address, settings: OutboundSettings) -> bool:
    """Whether an address may be dialled: a public one, or one of the networks that a setting opens."""
    if any(address.version == network.version and address in network for network in settings.networks):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in DENIED_IPV4)
    return address in GLOBAL_IPV6 and not any(address in network for network in DENIED_IPV6)


def check_url(url: str, settings: OutboundSettings, field: str = "url") -> URL:
    """The URL as it will be dialled, if its form is one that is called. UrlRefused names `field` and what is wrong.

    This is for clear errors early; what keeps the network safe is the judgement of what is dialled.
    """
    if not 1 <= len(url) <= MAX_URL_CHARACTERS:
        raise _refused(field, f"must have 1 to {MAX_URL_CHARACTERS} characters")
    if _ODD.search(url) or not url.isascii():
        raise _refused(field, "must consist of visible ASCII characters, without a backslash")
    if _USER.match(url):
        raise _refused(field, "must not contain a user or a password")
    try:
        parsed = URL(url)
        _ = parsed.port
    except ValueError as error:
        raise _refused(field, "is not a URL") from error
    _check_parts(parsed, settings, field)
    return parsed


def _check_parts(url: URL, settings: OutboundSettings, field: str) -> None:
    """What of a parsed URL can be said without asking anybody."""
    schemes = ("https", "http") if settings.plain_http else ("https",)
    if url.scheme not in schemes:
        raise _refused(field, f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if url.raw_user is not None or url.raw_password is not None:
        raise _refused(field, "must not contain a user or a password")
    if url.raw_fragment:
        raise _refused(field, "must not contain a fragment")
    host = (url.raw_host or "").lower().rstrip(".")
    if not host or url.port == 0:
        raise _refused(field, "must name a host and, if any, a port from 1")
    address = _literal(host)
    if address is not None:
        if not permitted(address, settings):
            raise AddressRefused(violations=[Violation(field, "does not lead to a public server")])
        return
    labels = host.split(".")
    # What ends in a number is an IPv4 address in one of many notations, of which only the usual one is taken.
    if _NUMBER.fullmatch(labels[-1]) or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused(field, "must name a host, or an address in its usual notation")
    # A name of a private network may be meant where one is open; its addresses are judged when it is dialled.
    if not settings.networks and (len(labels) == 1 or any(f".{host}".endswith(f".{name}") for name in PRIVATE_NAMES)):
        raise AddressRefused(violations=[Violation(field, "does not lead to a public server")])


def guarded_connector(
    settings: OutboundSettings, resolver: AbstractResolver | None = None, *, limit: int = 100
) -> aiohttp.TCPConnector:
    """A connector that dials permitted addresses only, whatever asks it: for sessions that stream.

    Give the session `trust_env=False`, and each request `allow_redirects=False`.
    """
    return _GuardedConnector(settings, resolver or aiohttp.ThreadedResolver(), limit)


def guarded(settings: OutboundSettings) -> Callable[[bool, str, int], Awaitable[Sequence[str]]]:
    """What `chassis.http` dials for a host: addresses that were judged, and are not resolved again. AddressRefused."""

    async def resolve(tls: bool, host: str, port: int) -> Sequence[str]:
        _check_parts(URL.build(scheme="https" if tls else "http", host=host, port=port), settings, "url")
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        try:
            # One that may not be dialled among others is an attempt.
            for address in addresses:
                _check_dialled(address, settings)
        except _Denied as error:
            raise AddressRefused from error
        return addresses

    return resolve


class _GuardedConnector(aiohttp.TCPConnector):
    """Judges each request's URL, each answer of the resolver, and at last each address at the moment it is dialled."""

    def __init__(self, settings: OutboundSettings, resolver: AbstractResolver, limit: int) -> None:
        super().__init__(
            resolver=_GuardedResolver(resolver, settings), socket_factory=self._socket, limit=limit, ttl_dns_cache=10
        )
        self._guard = settings

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the overridden method's
    ) -> aiohttp.connector.Connection:
        if req.proxy:
            raise AddressRefused
        _check_parts(req.url.with_fragment(None), self._guard, "url")
        return await super().connect(req, traces, timeout)

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _name, (host, *_rest) = info
        _check_dialled(str(host), self._guard)
        return socket.socket(family, kind, protocol)


class _GuardedResolver(AbstractResolver):
    """Refuses a name as soon as one of its addresses may not be dialled: a mixed answer is an attempt."""

    def __init__(self, inner: AbstractResolver, settings: OutboundSettings) -> None:
        self._inner = inner
        self._guard = settings

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            _check_dialled(result["host"], self._guard)
        return found

    async def close(self) -> None:
        await self._inner.close()


class Outbound:
    """Asks once and reads the whole answer, within bounds. One instance a process; closed on leaving."""

    def __init__(self, settings: OutboundSettings, resolver: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        seconds = self._settings
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(self._settings, self._resolver),
            timeout=aiohttp.ClientTimeout(total=seconds.total_seconds, sock_connect=seconds.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """The answer, whatever its status (a redirect is an answer). UrlRefused, AddressRefused, AnswerTooLarge;
        OutboundFailed where nobody answers in time or what comes is not HTTP. None means the setting's bound.
        """
        assert self._session is not None, "use it as a context manager"
        target = check_url(url, self._settings)
        timeout = aiohttp.ClientTimeout(
            total=seconds or self._settings.total_seconds, sock_connect=self._settings.connect_seconds
        )
        try:
            async with self._session.request(
                method, target, headers=headers, data=body, allow_redirects=False, timeout=timeout
            ) as response:
                content = await self._read(response, max_bytes or self._settings.max_answer_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if was_denied(error):
                raise AddressRefused from error
            raise OutboundFailed from error
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

    @staticmethod
    async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_chunked(64 * 1024):
            size += len(part)
            if size > max_bytes:
                raise AnswerTooLarge
            parts.append(part)
        return b"".join(parts)


def _check_dialled(host: str, settings: OutboundSettings) -> None:
    address = _literal(host)
    if address is None or not permitted(address, settings):
        raise _Denied(f"{host} may not be dialled")


def _literal(host: str) -> Address | None:
    """The address that `host` spells in its usual notation; one with a zone is none."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def was_denied(error: BaseException | None) -> bool:
    """Whether the guard is what made a connection fail: a connector wraps errors of what it calls."""
    seen = 0
    while error is not None and seen < 8:
        if isinstance(error, _Denied) or isinstance(getattr(error, "os_error", None), _Denied):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(was_denied(inner) for inner in error.exceptions)
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _refused(field: str, description: str) -> UrlRefused:
    return UrlRefused(f"{field}: {description}.", violations=[Violation(field, description)])
