"""Embedder for every provider that speaks OpenAI's wire format, over one pooled session, with base64 vectors."""

import base64
import struct
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from chassis.members import with_member, without_member
from embedding_service import policy
from embedding_service.domain import (
    Answered,
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

MAX_ANSWER_BYTES = 128 * 1024 * 1024
BYTES_OF_A_TOKEN = 4


class OpenAIWire:
    """Speaks to one provider."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, api_key: str, *, configured: bool, seconds: float
    ) -> None:
        self._session = session
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._configured = configured
        self._timeout = aiohttp.ClientTimeout(total=seconds)

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
                self._url, data=body, headers=self._headers, timeout=self._timeout
            ) as response:
                answer = await response.content.read(MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnavailable from error
        if response.status != 200:
            raise error_of(response.status, response.headers.get("Retry-After"), answer)
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


def error_of(status: int, retry_after: str | None, answer: bytes) -> Exception:
    """What a provider's refusal is."""
    if status in (401, 403):
        return ProviderNotConfigured("The provider refuses the platform's key for this model.")
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return ProviderRateLimited(retry_after=seconds)
    if 400 <= status < 500:
        try:
            message = str(orjson.loads(answer)["error"]["message"])[:1000]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            message = ProviderRefused.message
        return ProviderRefused(message)
    return ProviderUnavailable()
