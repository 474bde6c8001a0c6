"""The nouns of embeddings, the ports through which the service reaches the world, and its errors.

NotFound            ModelNotFound
InvalidArgument     BadInput, BadDimensions, ProviderRefused
ResourceExhausted   ProviderRateLimited
Unavailable         ProviderUnavailable, CacheUnavailable
FailedPrecondition  ProviderNotConfigured
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, Unavailable


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "There is no such embedding model."


class BadInput(InvalidArgument):
    reason = "BAD_INPUT"
    message = "The input cannot be embedded."


class BadDimensions(InvalidArgument):
    reason = "BAD_DIMENSIONS"
    message = "The model cannot give this number of dimensions."


class ProviderRefused(InvalidArgument):
    reason = "PROVIDER_REFUSED"
    message = "The provider refused the request."


class ProviderRateLimited(ResourceExhausted):
    reason = "PROVIDER_RATE_LIMITED"
    message = "The provider limits the platform at the moment; try again soon."


class ProviderUnavailable(Unavailable):
    reason = "PROVIDER_UNAVAILABLE"
    message = "The provider does not answer at the moment; try again soon."


class CacheUnavailable(Unavailable):
    reason = "CACHE_UNAVAILABLE"
    message = "The cache of vectors does not answer at the moment; try again soon."


class ProviderNotConfigured(FailedPrecondition):
    reason = "PROVIDER_NOT_CONFIGURED"
    message = "The provider of this model is not configured here."


class Health(Enum):
    """Whether a provider works."""

    OK = "ok"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


class InputType(Enum):
    """What texts are for, where a model tells the two apart."""

    UNKNOWN = ""
    QUERY = "query"
    DOCUMENT = "document"


Input = str | tuple[int, ...]
"""A text, or token ids of the model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model: what it is called in public and at its provider. Zero: not known here."""

    name: str
    provider: str
    upstream: str
    dimensions: int = 0
    context_length: int = 0
    shortens: bool = False
    """Whether its vectors may be cut to fewer dimensions (Matryoshka)."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector for each input: little-endian float32, normalised; and the tokens read."""

    vectors: tuple[bytes, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A provider's own answer to a client's document, as it came; and the tokens read."""

    body: bytes
    tokens: int


class Embedder(Protocol):
    """A provider of embeddings."""

    async def embed(
        self, model: EmbeddingModel, inputs: Sequence[Input], dimensions: int, input_type: InputType
    ) -> Vectors:
        """In the order given. `dimensions` 0 means all. BadInput names the input; or a Provider* error."""

    async def answer(self, model: EmbeddingModel, body: bytes) -> Answered | None:
        """To a document in OpenAI's format; None where no such documents are taken. Errors as above."""

    def health(self) -> Health:
        """Without asking the provider."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reranking model thinks of texts, in their order; and the tokens read."""

    scores: tuple[float, ...]
    tokens: int


class Reranker(Protocol):
    """A provider of reranking."""

    async def rerank(self, model: EmbeddingModel, query: str, texts: Sequence[str]) -> Judged:
        """A Provider* error."""

    def health(self) -> Health:
        """Without asking the provider."""


class VectorCache(Protocol):
    """Vectors by content. Reading and writing never fail: what is away is a miss."""

    async def get(self, keys: Sequence[str], dimensions: int) -> list[tuple[int, bytes] | None]:
        """(tokens, vector) for each key, or None; vectors of that length (0: whole)."""

    async def put(self, entries: Sequence[tuple[str, int, bytes]], dimensions: int) -> None:
        """(key, tokens, vector)."""

    async def forget(self, keys: Sequence[str]) -> int:
        """In all lengths; how many there were. Unavailable: what is to be forgotten must not stay because nobody
        answered.
        """
