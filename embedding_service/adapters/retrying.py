"""A wrapper of Embedder that repeats what failed in a way that may pass."""

from collections.abc import Sequence

from chassis.errors import PlatformError
from chassis.resilience import RetryPolicy, retrying
from embedding_service.domain import (
    Answered,
    Embedder,
    EmbeddingModel,
    Health,
    Input,
    InputType,
    ProviderRateLimited,
    ProviderUnavailable,
    Vectors,
)


class Retrying:
    """Satisfies Embedder again."""

    def __init__(self, inner: Embedder, rules: RetryPolicy) -> None:
        self._inner = inner
        self._rules = rules

    async def embed(
        self, model: EmbeddingModel, inputs: Sequence[Input], dimensions: int, input_type: InputType
    ) -> Vectors:
        async def attempt(_number: int) -> Vectors:
            return await self._inner.embed(model, inputs, dimensions, input_type)

        return await retrying(attempt, self._rules, _may_pass)

    async def answer(self, model: EmbeddingModel, body: bytes) -> Answered | None:
        async def attempt(_number: int) -> Answered | None:
            return await self._inner.answer(model, body)

        return await retrying(attempt, self._rules, _may_pass)

    def health(self) -> Health:
        return self._inner.health()


def _may_pass(error: PlatformError) -> bool:
    return isinstance(error, ProviderRateLimited | ProviderUnavailable)
