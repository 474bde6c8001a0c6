"""ChatModel for every provider that speaks OpenAI's wire format: OpenAI, vLLM, TGI, Hugging Face, llama.cpp.

One pooled aiohttp session (the official SDK costs ten times the CPU a call). Of the client's document only `model`
and, for a stream, `stream_options` are changed; answers go back as they came. No retries here.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from llm_service import policy
from llm_service.adapters.provider_errors import error_of, error_of_status
from llm_service.adapters.sse import EventSplitter, EventTooLarge, data_of
from llm_service.domain import (
    Answer,
    Call,
    Deployment,
    Ending,
    Health,
    ProviderBadAnswer,
    ProviderNotConfigured,
    ProviderTimeout,
    ProviderUnavailable,
    Tokens,
)

READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Seconds for each phase, and the largest answer in bytes."""

    first_byte: float
    between_bytes: float
    total: float
    max_answer_bytes: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a provider is. `address` answers None while it is not known, and may change."""

    name: str
    address: Callable[[], str | None]
    api_key: str
    configured: bool
    local: bool = False
    """The local engine gets an allow-list of fields, and answers under the model's public name."""


class OpenAIWire:
    """Speaks to one provider."""

    def __init__(self, session: aiohttp.ClientSession, upstream: Upstream, limits: WireLimits) -> None:
        self._session = session
        self._upstream = upstream
        self._limits = limits

    def health(self) -> Health:
        if not self._upstream.configured:
            return Health.NOT_CONFIGURED
        return Health.OK if self._upstream.address() else Health.FAILING

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        document = self._document(deployment, call)
        document.pop("stream", None)
        document.pop("stream_options", None)
        try:
            async with asyncio.timeout(self._limits.total), self._post(document) as response:
                body = await self._read(response)
        except TimeoutError as error:
            raise ProviderTimeout from error
        except aiohttp.ClientError as error:
            raise ProviderUnavailable from error
        if response.status != 200:
            raise error_of_status(response.status, response.headers, body)
        return self._answer(call, body)

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        document = self._document(deployment, call)
        document["stream"] = True
        options = document.get("stream_options")
        document["stream_options"] = (options if isinstance(options, dict) else {}) | {"include_usage": True}
        relay = _Relay(call, public_name=call.model if self._upstream.local else "")
        try:
            # No timeout around the yields: it would strike in whoever reads. The call's deadline bounds the whole.
            async with self._post(document) as response:
                if response.status != 200:
                    raise error_of_status(response.status, response.headers, await self._read(response))
                async for chunk in self._chunks(response):
                    forwarded = relay.take(chunk)
                    if forwarded:
                        yield forwarded
                    if relay.done:
                        break
        except TimeoutError as error:
            raise ProviderTimeout from error
        except EventTooLarge as error:
            raise ProviderBadAnswer from error
        except aiohttp.ClientError as error:
            raise ProviderUnavailable from error
        yield relay.ending()

    def _document(self, deployment: Deployment, call: Call) -> dict[str, Any]:
        document = policy.read_document(call.body)
        if self._upstream.local:
            document = policy.for_local(document)
        document["model"] = deployment.upstream_model
        return document

    def _post(self, document: dict[str, Any]) -> Any:
        if not self._upstream.configured:
            raise ProviderNotConfigured(f"The provider {self._upstream.name} is not configured here.")
        address = self._upstream.address()
        if address is None:
            raise ProviderUnavailable(retry_after=1)
        headers = {"Content-Type": "application/json"}
        if self._upstream.api_key:
            headers["Authorization"] = f"Bearer {self._upstream.api_key}"
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self._limits.first_byte)
        url = f"{address.rstrip('/')}/chat/completions"
        return self._session.post(url, data=orjson.dumps(document), headers=headers, timeout=timeout)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_chunked(READ_BYTES):
            size += len(part)
            if size > self._limits.max_answer_bytes:
                raise ProviderBadAnswer("The provider's answer is too large.")
            parts.append(part)
        return b"".join(parts)

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        """Whatever is waiting, joined: several events in one piece when they come fast."""
        while True:
            async with asyncio.timeout(self._limits.between_bytes):
                chunk = await response.content.readany()
            if not chunk:
                return
            yield chunk

    def _answer(self, call: Call, body: bytes) -> Answer:
        try:
            document = orjson.loads(body)
            finish = document["choices"][0].get("finish_reason") or ""
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ProviderBadAnswer from error
        usage = document.get("usage")
        tokens = policy.tokens_of(usage) if usage else _estimate(call, len(body))
        if self._upstream.local:
            document["model"] = call.model
            body = orjson.dumps(document)
        return Answer(body, Ending(tokens, finish))


class _Relay:
    """Looks into the events of one stream, and decides which bytes go on."""

    def __init__(self, call: Call, public_name: str) -> None:
        self.done = False
        self._call = call
        self._public_name = public_name
        self._splitter = EventSplitter()
        self._usage: dict[str, Any] | None = None
        self._finish = ""
        self._relayed = 0

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined."""
        forwarded = []
        for event in self._splitter.feed(chunk):
            data = data_of(event)
            if data == b"[DONE]":
                self.done = True
                break
            if data:
                forwarded.append(self._look(event, data))
        joined = b"".join(forwarded)
        self._relayed += len(joined)
        return joined

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""
        if not self.done and not self._finish:
            raise ProviderBadAnswer("The provider's stream broke off.")
        # Each event wraps a token of some four bytes in about 150: the rule of thumb for a missing count.
        tokens = policy.tokens_of(self._usage) if self._usage else _estimate(self._call, self._relayed // 35)
        return Ending(tokens, self._finish)

    def _look(self, event: bytes, data: bytes) -> bytes:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise ProviderBadAnswer from error
        if not isinstance(document, dict):
            raise ProviderBadAnswer
        if "error" in document:
            raise error_of(document["error"])
        usage, choices = document.get("usage"), document.get("choices")
        if usage:
            self._usage = usage
        if choices:
            self._finish = choices[0].get("finish_reason") or self._finish
        elif usage and not self._call.include_usage:
            return b""
        return self._rewrite(event, document)

    def _rewrite(self, event: bytes, document: dict[str, Any]) -> bytes:
        strip = "usage" in document and not self._call.include_usage
        if not strip and not self._public_name:
            return event
        if strip:
            del document["usage"]
        if self._public_name:
            document["model"] = self._public_name
        return b"data: " + orjson.dumps(document) + b"\n\n"


def _estimate(call: Call, output_bytes: int) -> Tokens:
    return Tokens(policy.estimate_tokens(len(call.body)), 0, policy.estimate_tokens(output_bytes))
