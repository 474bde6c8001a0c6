"""Questions, and answers that cite documents."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from rag_service.domain.collections import DEFAULT_COLLECTION
from rag_service.domain.filters import Filter
from rag_service.domain.search import Scores, SearchMode
from rag_service.domain.usage import Tally, UsedLine


class Grounding(Enum):
    """What to do where the documents say nothing."""

    REQUIRED = "required"
    PREFERRED = "preferred"


class AnswerState(Enum):
    """How far the documents carry an answer."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    ABSTAINED = "abstained"
    UNGROUNDED = "ungrounded"


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a document; `quote` equals its text from `start` to `end`."""

    number: int
    document_id: str
    chunk_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation: role system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how to answer."""

    messages: tuple[Message, ...]
    collection: str = DEFAULT_COLLECTION
    model: str = ""
    top_k: int = 5
    filter: "Filter | None" = None
    grounding: Grounding = Grounding.REQUIRED
    conversation_id: str = ""
    rerank: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, what it rests on, and what it took."""

    id: str
    state: AnswerState
    content: str
    citations: tuple[Citation, ...]
    model: str
    used: tuple[UsedLine, ...]
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A passage that was read for an answer."""

    document_id: str
    document_version: int
    chunk_id: str
    chunk_sha256: str
    page: int
    start: int
    end: int
    scores: Scores
    cited: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer rests on."""

    answer: Answer
    created_at: datetime
    expires_at: datetime
    request_id: str
    collection: str
    query: str
    mode: SearchMode
    prompt_sha256: str
    passages: tuple[Read, ...]
    forgotten: bool = False
    """Whether words were taken out because a document was erased."""


class ReceiptQueries(Protocol):
    """On a tenant's receipts."""

    async def add_receipt(self, tenant_id: str, receipt: Receipt) -> None:
        """And removes some that are past their time."""

    async def get_receipt(self, tenant_id: str, answer_id: str, at: datetime) -> Receipt | None:
        """If it is still kept."""


class Answerer(Protocol):
    """A language model."""

    def stream(
        self, model: str, messages: Sequence[Message], max_tokens: int, tally: Tally
    ) -> AsyncGenerator[str, None]:
        """Words as they come."""

    async def window(self, model: str) -> int:
        """Tokens that a model can read and write in one call; 0: not known."""
