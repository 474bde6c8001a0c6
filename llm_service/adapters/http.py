"""HTTP to one provider: a pooled session, bounds and a time for each phase, every failure a typed error.

Knows no wire format. One aiohttp session (an official SDK costs ten times the CPU a call). No retries here.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import aiohttp

from llm_service.adapters.provider_errors import error_of_status
from llm_service.domain.errors import ProviderBadAnswer, ProviderNotConfigured, ProviderTimeout, ProviderUnavailable
from llm_service.domain.models import Health

READ_BYTES = 64 * 1024
NOTHING: Mapping[str, str] = MappingProxyType({})


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


def bearer(key: str) -> Mapping[str, str]:
    """As OpenAI and most others want it."""
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a provider is. `address` answers None while it is not known, and may change."""

    name: str
    address: Callable[[], str | None]
    api_key: str
    configured: bool
    local: bool = False
    """The local engine gets an allow-list of fields, and answers under the model's public name."""
    authorization: Authorization = bearer


class ProviderHttp:
    """Posts documents to one provider."""

    def __init__(self, session: aiohttp.ClientSession, upstream: Upstream, limits: HttpLimits) -> None:
        self._session = session
        self._upstream = upstream
        self._limits = limits

    def health(self) -> Health:
        """Without asking it."""
        if not self._upstream.configured:
            return Health.NOT_CONFIGURED
        return Health.OK if self._upstream.address() else Health.FAILING

    async def post(self, path: str, document: bytes, said: Mapping[str, str] = NOTHING) -> bytes:
        """The whole answer. `said`: headers of the format. One of the Provider* errors."""
        try:
            async with asyncio.timeout(self._limits.total), self._post(path, document, said) as response:
                body = await self._read(response)
        except TimeoutError as error:
            raise ProviderTimeout from error
        except aiohttp.ClientError as error:
            raise ProviderUnavailable from error
        if response.status != 200:
            raise error_of_status(response.status, response.headers, body)
        return body

    async def stream(
        self, path: str, document: bytes, said: Mapping[str, str] = NOTHING
    ) -> AsyncGenerator[bytes, None]:
        """The answer as it comes: whatever is waiting, joined. Errors as above; closing it cancels the call."""
        try:
            # No timeout around the yields: it would strike in whoever reads. The call's deadline bounds the whole.
            async with self._post(path, document, said) as response:
                if response.status != 200:
                    raise error_of_status(response.status, response.headers, await self._read(response))
                while chunk := await self._next(response):
                    yield chunk
        except TimeoutError as error:
            raise ProviderTimeout from error
        except aiohttp.ClientError as error:
            raise ProviderUnavailable from error

    def _post(
        self, path: str, document: bytes, said: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        upstream = self._upstream
        if not upstream.configured:
            raise ProviderNotConfigured(f"The provider {upstream.name} is not configured here.")
        address = upstream.address()
        if address is None:
            raise ProviderUnavailable(retry_after=1)
        headers = {"Content-Type": "application/json", **said}
        if upstream.api_key:
            headers |= upstream.authorization(upstream.api_key)
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self._limits.first_byte)
        return self._session.post(f"{address.rstrip('/')}{path}", data=document, headers=headers, timeout=timeout)

    async def _next(self, response: aiohttp.ClientResponse) -> bytes:
        async with asyncio.timeout(self._limits.between_bytes):
            return await response.content.readany()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_chunked(READ_BYTES):
            size += len(part)
            if size > self._limits.max_answer_bytes:
                raise ProviderBadAnswer("The provider's answer is too large.")
            parts.append(part)
        return b"".join(parts)
