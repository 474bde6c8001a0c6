"""The nouns of language models, the ports through which the service reaches the world, and its errors.

NotFound            ModelNotFound
InvalidArgument     ProviderRefused, BadDocument
Unimplemented       Unsupported
ResourceExhausted   ProviderRateLimited
Unavailable         ProviderUnavailable, ProviderBadAnswer
DeadlineExceeded    ProviderTimeout
FailedPrecondition  ProviderNotConfigured
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from chassis.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "There is no such model."


class ProviderRefused(InvalidArgument):
    reason = "PROVIDER_REFUSED"
    message = "The provider refused the request."


class ProviderRateLimited(ResourceExhausted):
    reason = "PROVIDER_RATE_LIMITED"
    message = "The provider limits the platform at the moment; try again soon."


class ProviderUnavailable(Unavailable):
    reason = "PROVIDER_UNAVAILABLE"
    message = "The provider does not answer at the moment; try again soon."


class ProviderTimeout(DeadlineExceeded):
    reason = "PROVIDER_TIMEOUT"
    message = "The provider did not answer in time."


class ProviderBadAnswer(Unavailable):
    reason = "PROVIDER_BAD_ANSWER"
    message = "The provider's answer could not be read, or broke off."


class ProviderNotConfigured(FailedPrecondition):
    reason = "PROVIDER_NOT_CONFIGURED"
    message = "The provider of this model is not configured here."


class Unsupported(Unimplemented):
    reason = "UNSUPPORTED"
    message = "The model cannot do what is asked."


class Health(Enum):
    """Whether a provider works."""

    OK = "ok"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at a provider."""

    provider: str
    upstream_model: str


@dataclass(frozen=True, slots=True)
class Model:
    """A public name and where it is served, best first."""

    name: str
    deployments: tuple[Deployment, ...]
    capabilities: tuple[str, ...] = ("chat", "stream")
    context_length: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call used. `input` includes `cached`."""

    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(slots=True)
class Tally:
    """Counts the attempts of one call, over retries and fallbacks."""

    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A request: the client's document, and what was decided about it."""

    model: str
    body: bytes
    include_usage: bool = False
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended."""

    tokens: Tokens
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: the document, and how the call ended."""

    body: bytes
    ending: Ending


class ChatModel(Protocol):
    """A provider of models in one wire format. Wrapped for retry, breaker and limits; adapters have none of these."""

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        """One of the Provider* errors, BadDocument or Unsupported."""

    def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        """Whole server-sent events as they come, then one Ending. Errors as above; closing it cancels the call."""

    def health(self) -> Health:
        """Without asking the provider."""


class Repository(Protocol):
    """Queries of one transaction."""

    async def list_models(self) -> list[Model]:
        """The catalogue, by name."""


class Store(Protocol):
    """Opens transactions."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """The catalogue is every tenant's."""
