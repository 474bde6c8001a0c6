"""Responses in OpenAI's format whose model is shown what a search of files found; and who asks the model."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from rag_service.domain.usage import Tally


@dataclass(frozen=True, slots=True)
class Asking:
    """A client's request: `body` is the document, `envelope` what the model is asked in; nobody here looks into it."""

    model: str
    body: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The model answers; `told` is passed on as it came."""

    told: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """It has; `told` likewise, but for its usage. `documents`: whose words it was shown."""

    told: bytes
    documents: tuple[str, ...] = ()


class Responder(Protocol):
    """Asks models for responses."""

    async def complete(self, asking: Asking, tally: Tally) -> tuple[bytes, Ended]:
        """The response's document, and how it ended."""

    def events(self, asking: Asking, tally: Tally) -> AsyncGenerator[Started | bytes | Ended, None]:
        """Who answers, whole events as they come, how it ended."""

    async def keep(self, request: bytes, response: bytes) -> bool:
        """Stores a response as what its client asked for; whether it is stored."""

    async def window(self, model: str) -> int:
        """Tokens that a model can read and write in one call; 0: not known."""
