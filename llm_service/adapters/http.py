"""HTTP to one provider: pooled connections, bounds and a time for each phase, every failure a typed error.

Knows no wire format. The client is the chassis's lean one (an official SDK costs a hundred times its CPU), and one that
is guarded for addresses that tenants chose. Redirects are not followed. No retries here.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from chassis.errors import PlatformError
from chassis.flow import Hold
from chassis.http import Broken, Http, NotConnected, Response
from llm_service.adapters.provider_errors import error_of_engine, error_of_status
from llm_service.domain.errors import ProviderBadAnswer, ProviderNotConfigured, ProviderTimeout, ProviderUnavailable
from llm_service.domain.models import Deployment, Health

NOTHING: Mapping[str, str] = MappingProxyType({})
GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds for each phase, and the largest answer in bytes."""

    first_byte: float
    between_bytes: float
    total: float
    max_answer_bytes: int


class Authorization(Protocol):
    """The headers by which a provider knows who pays."""

    def __call__(self, key: str) -> Mapping[str, str]: ...


class Locate(Protocol):
    """Where a deployment takes the documents of a wire."""

    def __call__(self, address: str, path: str, deployment: Deployment, /) -> str: ...


def bearer(key: str) -> Mapping[str, str]:
    """As OpenAI and most others want it."""
    return {"Authorization": f"Bearer {key}"}


def below(address: str, path: str, _deployment: Deployment) -> str:
    """As OpenAI and most others have it."""
    return f"{address.rstrip('/')}{path}"


class Heard(Protocol):
    """Told of each answer's headers: what they say of the deployment's own limits."""

    def __call__(self, deployment: Deployment, status: int, headers: Mapping[str, str], /) -> None: ...


def ignored(_deployment: Deployment, _status: int, _headers: Mapping[str, str]) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a provider is by default. `address` answers None while it is not known, and may change."""

    name: str
    address: Callable[[], str | None]
    api_key: str
    configured: bool
    local: bool = False
    """The local engine gets an allow-list of fields, and answers under the model's public name."""
    authorization: Authorization = bearer
    locate: Locate = below


@dataclass(frozen=True, slots=True)
class Clients:
    """`guarded` dials public addresses only."""

    own: Http
    guarded: Http


class ProviderHttp:
    """Posts documents to one provider's deployments."""

    def __init__(self, clients: Clients, upstream: Upstream, limits: HttpLimits, heard: Heard = ignored) -> None:
        self._clients = clients
        self._upstream = upstream
        self._limits = limits
        self._heard = heard

    @property
    def max_answer_bytes(self) -> int:
        """Of an answer, and of an event of a stream."""
        return self._limits.max_answer_bytes

    def health(self, deployment: Deployment) -> Health:
        """Without asking it."""
        if deployment.base_url or (deployment.credential and self._upstream.address()):
            return Health.OK
        if not self._upstream.configured:
            return Health.NOT_CONFIGURED
        return Health.OK if self._upstream.address() else Health.FAILING

    async def post(
        self, deployment: Deployment, path: str, document: bytes, said: Mapping[str, str] = NOTHING
    ) -> bytes:
        """The whole answer. `said`: headers of the format. One of the Provider* errors."""
        end = time.monotonic() + self._limits.total
        try:
            with await self._post(deployment, path, document, said) as response:
                self._heard(deployment, response.status, response.headers)
                body = await self._read(response, end)
        except (NotConnected, Broken, TimeoutError) as error:
            raise _typed(error) from error
        if response.status not in GOOD:
            raise self._refusal(deployment, response, body)
        return body

    async def stream(
        self,
        deployment: Deployment,
        path: str,
        document: bytes,
        take: Callable[[bytes], Hold],
        said: Mapping[str, str] = NOTHING,
    ) -> None:
        """Gives the answer to `take` as it comes, until that says Enough. Errors as above; cancelling ends the call."""
        try:
            async with asyncio.timeout(self._limits.total):
                with await self._post(deployment, path, document, said) as response:
                    self._heard(deployment, response.status, response.headers)
                    if response.status not in GOOD:
                        body = await self._read(response, math.inf)
                        raise self._refusal(deployment, response, body)
                    await response.pour(take, self._limits.between_bytes)
        except (NotConnected, Broken, TimeoutError) as error:
            raise _typed(error) from error

    async def _post(self, deployment: Deployment, path: str, document: bytes, said: Mapping[str, str]) -> Response:
        address, key = self._reach(deployment)
        headers = {"Content-Type": "application/json", **said}
        if key:
            headers |= self._upstream.authorization(key)
        http = self._clients.guarded if deployment.foreign else self._clients.own
        url = self._upstream.locate(address, path, deployment)
        first_byte = min(self._limits.first_byte, self._limits.total)
        return await http.post(url, headers, document, first_byte=first_byte)

    def _reach(self, deployment: Deployment) -> tuple[str, str]:
        """Address and key. The platform's key goes to the provider's own address only."""
        upstream, credential = self._upstream, deployment.credential
        if deployment.base_url:
            return deployment.base_url, credential.secret if credential else ""
        if not upstream.configured and not (credential and upstream.address()):
            raise ProviderNotConfigured(f"The provider {upstream.name} is not configured here.")
        address = upstream.address()
        if address is None:
            raise ProviderUnavailable(retry_after=1)
        return address, credential.secret if credential else upstream.api_key

    def _refusal(self, deployment: Deployment, response: Response, body: bytes) -> PlatformError:
        credential = deployment.credential
        # A provider may repeat the key in its message, or what looks like it.
        if key := credential.secret if credential else self._upstream.api_key:
            body = body.replace(key.encode(), b"***")
        own = bool(credential and credential.tenant_id)
        error = error_of_status(response.status, response.headers, body, own_key=own)
        return error_of_engine(error) if self._upstream.local else error

    async def _read(self, response: Response, end: float) -> bytes:
        parts, size = [], 0
        while part := await response.chunk(min(self._limits.first_byte, end - time.monotonic())):
            size += len(part)
            if size > self._limits.max_answer_bytes:
                raise ProviderBadAnswer("The provider's answer is too large.")
            parts.append(part)
        return b"".join(parts)


def _typed(error: Exception) -> PlatformError:
    """What a failed connection means. Its text has addresses, so none of it goes on."""
    return ProviderTimeout() if isinstance(error, TimeoutError) else ProviderUnavailable()
