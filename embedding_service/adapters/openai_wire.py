"""Embedder for every provider that speaks OpenAI's wire format, over one pooled session, with base64 vectors."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from chassis.errors import PlatformError
from chassis.members import with_member, without_member
from chassis.told import REFUSED, error_object, refusal, retry_after
from embedding_service import policy
from embedding_service.domain import (
    Answered,
    BadInput,
    EmbeddingModel,
    Health,
    Input,
    InputType,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    Vectors,
)

BYTES_OF_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for a call, and the largest answer in bytes."""

    seconds: float
    max_answer_bytes: int


class OpenAIWire:
    """Speaks to one provider."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, api_key: str, limits: Limits, *, configured: bool
    ) -> None:
        self._session = session
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._key = api_key
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._configured = configured
        self._limits = limits
        self._timeout = aiohttp.ClientTimeout(total=limits.seconds)

    def health(self) -> Health:
        return Health.OK if self._configured else Health.NOT_CONFIGURED

    async def embed(
        self, model: EmbeddingModel, inputs: Sequence[Input], dimensions: int, input_type: InputType
    ) -> Vectors:
        document: dict[str, Any] = {"model": model.upstream, "input": list(inputs), "encoding_format": "base64"}
        if dimensions:
            document["dimensions"] = dimensions
        return _vectors(await self._post(model, orjson.dumps(document)), len(inputs))

    async def answer(self, model: EmbeddingModel, body: bytes) -> Answered:
        document = orjson.loads(body)
        if "input_type" in document:
            # A word of ours, which others refuse.
            body = without_member(body, "input_type")
        if document["model"] != model.upstream:
            body = with_member(body, document, "model", orjson.dumps(model.upstream))
        answer = await self._post(model, body)
        return Answered(answer, _tokens(answer) or max(1, len(body) // BYTES_OF_A_TOKEN))

    async def _post(self, model: EmbeddingModel, body: bytes) -> bytes:
        if not self._configured:
            raise ProviderNotConfigured(f"The provider {model.provider} is not configured here.")
        try:
            async with self._session.post(
                self._url, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                answer = await read_whole(response, self._limits.max_answer_bytes)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnavailable from error
        if response.status != 200:
            raise error_of(response, answer, self._key)
        return answer


def _tokens(answer: bytes) -> int:
    """Read for it, by its own word; 0 if it does not say."""
    try:
        document = orjson.loads(answer)
        told = document["usage"]["prompt_tokens"]
    except (KeyError, TypeError):
        return 0
    except orjson.JSONDecodeError as error:
        raise ProviderUnavailable("The provider's answer could not be read.") from error
    return told if isinstance(told, int) and 0 < told < 2**31 else 0


def _vectors(answer: bytes, count: int) -> Vectors:
    try:
        document = orjson.loads(answer)
        rows = sorted(document["data"], key=lambda row: row["index"])
        vectors = tuple(policy.normalised(_floats(row["embedding"])) for row in rows)
        tokens = int(document["usage"]["prompt_tokens"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ProviderUnavailable("The provider's answer could not be read.") from error
    if len(vectors) != count:
        raise ProviderUnavailable("The provider's answer lacks vectors.")
    return Vectors(vectors, tokens)


def _floats(embedding: str | list[float]) -> bytes:
    """Servers that do not know base64 answer numbers."""
    if isinstance(embedding, str):
        return base64.b64decode(embedding)
    return struct.pack(f"<{len(embedding)}f", *embedding)


async def read_whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """All of an answer, however many pieces it comes in. BadInput where it is larger than `most` bytes."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            raise BadInput(f"The answer is larger than {most} bytes: send fewer inputs, or ask for base64.")
        parts.append(part)
    return b"".join(parts)


def error_of(response: aiohttp.ClientResponse, answer: bytes, key: str) -> PlatformError:
    """What a provider's refusal is. `key`: by which it was asked."""
    status, headers = response.status, response.headers
    if status in REFUSED:
        message, metadata = refusal(status, error_object(answer, key))
        return ProviderRefused(message, metadata=metadata)
    if status in (401, 403):
        return ProviderNotConfigured("The provider refuses the platform's key for this model.")
    if status in (402, 429):
        return ProviderRateLimited(retry_after=retry_after(headers))
    return ProviderUnavailable(retry_after=retry_after(headers))
