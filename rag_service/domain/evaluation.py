"""Questions with known answers, and how well search finds them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag_service.domain.search import SearchMode


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A question and the ids of the documents that answer it."""

    query: str
    document_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a ranking fits what is relevant; each from 0 to 1."""

    ndcg_at_10: float
    recall_at_100: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The modes, best first, and what they were measured on."""

    modes: Sequence[tuple[SearchMode, Quality]]
    vector_store: str
    embedding_model: str
    default_mode: SearchMode
    """The collection's, after this."""
