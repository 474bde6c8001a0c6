"""The use case of embeddings: what is cached is not embedded again; the rest goes to the model's provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedding_service import policy
from embedding_service.domain import (
    Embedder,
    EmbeddingModel,
    Health,
    Input,
    InputType,
    Judged,
    ProviderNotConfigured,
    Reranker,
    VectorCache,
    Vectors,
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, and the model that made them."""

    model: EmbeddingModel
    vectors: Vectors
    body: bytes = b""
    """The provider's own answer, instead of the vectors."""

    @property
    def dimensions(self) -> int:
        """Numbers in each vector."""
        return len(self.vectors.vectors[0]) // 4 if self.vectors.vectors else 0


class Embeddings:
    """Embeds texts. An input that the cache serves counts like any other."""

    def __init__(self, embedders: Mapping[str, Embedder], cache: VectorCache, max_inputs: int) -> None:
        self._embedders = embedders
        self._cache = cache
        self._max_inputs = max_inputs

    async def embed(
        self, name: str, inputs: Sequence[Input], dimensions: int, input_type: InputType, body: bytes = b""
    ) -> Embedded:
        """`body`: the client's document, for a provider that takes it; what it answers is passed on, not cached.

        ModelNotFound, BadInput, BadDimensions, or what the provider fails with.
        """
        model = policy.resolve(name)
        policy.check_inputs(inputs, self._max_inputs)
        policy.check_dimensions(model, dimensions)
        if body and (answered := await self._embedder(model).answer(model, body)):
            return Embedded(model, Vectors((), answered.tokens), answered.body)
        keys = [policy.cache_key(model, item) for item in inputs]
        found = await self._cache.get(keys, dimensions)
        missing = [index for index, entry in enumerate(found) if entry is None]
        if missing:
            asked = [inputs[index] for index in missing]
            made = await self._embedder(model).embed(model, asked, dimensions, input_type)
            # The provider counts tokens for the whole call: shared out evenly among its inputs.
            each, extra = divmod(made.tokens, len(missing))
            for place, index in enumerate(missing):
                found[index] = (each + (1 if place < extra else 0), made.vectors[place])
            await self._cache.put([(keys[index], *_known(found[index])) for index in missing], dimensions)
        entries = [_known(entry) for entry in found]
        return Embedded(model, Vectors(tuple(vector for _, vector in entries), sum(tokens for tokens, _ in entries)))

    async def forget(self, name: str, texts: Sequence[str]) -> int:
        """Takes their vectors, of all lengths, out of the cache; how many texts had any. ModelNotFound, BadInput."""
        model = policy.resolve(name)
        policy.check_inputs(texts, self._max_inputs)
        return await self._cache.forget([policy.cache_key(model, text) for text in texts])

    def models(self) -> list[tuple[EmbeddingModel, Health]]:
        """The models that have names of their own, with their provider's health."""
        return [(model, self._health(model.provider)) for model in policy.CATALOGUE.values()]

    def _embedder(self, model: EmbeddingModel) -> Embedder:
        embedder = self._embedders.get(model.provider)
        if embedder is None:
            raise ProviderNotConfigured
        return embedder

    def _health(self, provider: str) -> Health:
        embedder = self._embedders.get(provider)
        return embedder.health() if embedder else Health.NOT_CONFIGURED


class Reranking:
    """Judges texts by a query: the configured provider does, or a local embedding model."""

    def __init__(self, embeddings: Embeddings, provider: Reranker) -> None:
        self._embeddings = embeddings
        self._provider = provider

    async def rerank(self, name: str, query: str, texts: Sequence[str]) -> tuple[EmbeddingModel, Judged]:
        """ModelNotFound, BadInput, or what the provider fails with."""
        model = policy.resolve_reranker(name)
        policy.check_inputs([query], 1)
        policy.check_inputs(texts, policy.MAX_RERANKED)
        if model.provider != policy.BI_ENCODERS:
            return model, await self._provider.rerank(model, query, texts)
        asked = await self._embeddings.embed(model.name, [query], 0, InputType.QUERY)
        read = await self._embeddings.embed(model.name, list(texts), 0, InputType.DOCUMENT)
        scores = policy.cosines(asked.vectors.vectors[0], read.vectors.vectors)
        return model, Judged(scores, asked.vectors.tokens + read.vectors.tokens)


def _known(entry: tuple[int, bytes] | None) -> tuple[int, bytes]:
    assert entry is not None
    return entry
