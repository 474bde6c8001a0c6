"""Measures of retrieval over ranked documents, relevance being yes or no. Each is from 0 to 1."""

import math
from collections.abc import Collection, Iterable, Sequence

from rag_service.domain.evaluation import Quality

GAINS_TO = 10
RECALL_TO = 100


def ranked_documents(document_ids: Iterable[str]) -> list[str]:
    """Documents in the order of their best passage."""
    return list(dict.fromkeys(document_ids))


def quality(ranked: Sequence[str], relevant: Collection[str]) -> Quality:
    """Of one question's ranking."""
    gains = sum(1 / math.log2(rank + 1) for rank, name in enumerate(ranked[:GAINS_TO], 1) if name in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(GAINS_TO, len(relevant)) + 1))
    found = sum(name in relevant for name in ranked[:RECALL_TO])
    first = next((1 / rank for rank, name in enumerate(ranked, 1) if name in relevant), 0.0)
    return Quality(gains / best if best else 0.0, found / len(relevant) if relevant else 0.0, first)


def mean(found: Sequence[Quality]) -> Quality:
    """On the average over the questions."""
    count = len(found) or 1
    return Quality(
        sum(one.ndcg_at_10 for one in found) / count,
        sum(one.recall_at_100 for one in found) / count,
        sum(one.mrr for one in found) / count,
    )
