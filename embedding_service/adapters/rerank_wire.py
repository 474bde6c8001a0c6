"""Reranker for providers that speak Cohere's wire format (Cohere, Jina, vLLM, Infinity) or that of Hugging Face's
text-embeddings-inference, over one pooled session.
"""

from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from embedding_service.adapters.openai_wire import BYTES_OF_A_TOKEN, Limits, error_of, read_whole
from embedding_service.domain import EmbeddingModel, Health, Judged, ProviderNotConfigured, ProviderUnavailable


class RerankWire:
    """Speaks to one provider. `wire` is cohere or tei."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, api_key: str, limits: Limits, *, wire: str
    ) -> None:
        self._session = session
        self._url = f"{base_url.rstrip('/')}/rerank" if base_url else ""
        self._key = api_key
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._tei = wire == "tei"
        self._limits = limits
        self._timeout = aiohttp.ClientTimeout(total=limits.seconds)

    def health(self) -> Health:
        return Health.OK if self._url else Health.NOT_CONFIGURED

    async def rerank(self, model: EmbeddingModel, query: str, texts: Sequence[str]) -> Judged:
        if not self._url:
            raise ProviderNotConfigured("No provider of reranking is configured (AI_PLATFORM_EMBEDDING__RERANK_URL).")
        document: dict[str, Any] = {"query": query}
        if self._tei:
            document |= {"texts": list(texts), "truncate": True}
        else:
            document |= {"model": model.upstream, "documents": list(texts), "top_n": len(texts)}
        try:
            async with self._session.post(
                self._url,
                data=orjson.dumps(document),
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                answer = await read_whole(response, self._limits.max_answer_bytes)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnavailable from error
        if response.status != 200:
            raise error_of(response, answer, self._key)
        read = sum(len(text) for text in (query, *texts)) // BYTES_OF_A_TOKEN + len(texts)
        return _judged(answer, len(texts), read)


def _judged(answer: bytes, count: int, read: int) -> Judged:
    """In the texts' order. What a provider does not count is estimated."""
    try:
        document = orjson.loads(answer)
        rows = document if isinstance(document, list) else document["results"]
        scores = {int(row["index"]): float(row.get("relevance_score", row.get("score"))) for row in rows}
        told = document.get("usage", {}).get("total_tokens") if isinstance(document, dict) else None
        in_order = tuple(scores[index] for index in range(count))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderUnavailable("The provider's answer could not be read.") from error
    return Judged(in_order, told if isinstance(told, int) and told > 0 else read)
