"""Fusion of rankings, and what the best of them say about the question."""

import array
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag_service.domain.search import Passage
from rag_service.policy.terms import terms

RANK_CONSTANT = 60
FEEDBACK = 3
"""Passages that are believed to be about the question (pseudo-relevance feedback, Rocchio 1971)."""
FEEDBACK_TERMS = 20
FEEDBACK_COMMON = 10_000
"""Passages that may have such a word: one that more have tells little of the question, and much is read for it."""
FEEDBACK_WEIGHT = 0.4
"""Of what the words of those passages add to the question's own (RM3, Abdul-Jaleel et al. 2004)."""


def fuse(rankings: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with the sum of 1 / (60 + rank) over the rankings they are in, best first, as a share
    of what being first in all of them would give. Equals, of which there are many (second and first, first and second),
    stay in the order of the first ranking: an order by id would be another one whenever documents are ingested anew.
    """
    most = len(rankings) / (RANK_CONSTANT + 1)
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (name, _) in enumerate(ranking, 1):
            scores[name] += 1 / (RANK_CONSTANT + rank) / most
    return sorted(scores.items(), key=lambda item: -item[1])


def expanded(asked: Sequence[str], passages: Sequence[str]) -> dict[str, float]:
    """The question's terms, and the commonest of the passages' with less weight. The weights sum to the question's."""
    if not asked or not passages:
        return dict.fromkeys(asked, 1.0)
    shares: Counter[str] = Counter()
    for text in passages:
        held = terms(text)
        for term, count in Counter(held).items():
            shares[term] += count / len(held) / len(passages)  # type: ignore[assignment]  # a Counter of shares
    likely = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:FEEDBACK_TERMS]
    total = sum(share for _, share in likely) or 1.0
    weights = dict.fromkeys(asked, 1 - FEEDBACK_WEIGHT)
    for term, share in likely:
        weights[term] = weights.get(term, 0.0) + FEEDBACK_WEIGHT * len(asked) * share / total
    return weights


def best_of_documents(passages: Sequence[Passage]) -> list[Passage]:
    """The first passage of each document."""
    firsts: dict[str, Passage] = {}
    for passage in passages:
        firsts.setdefault(passage.document_id, passage)
    return list(firsts.values())


def diverse(passages: Sequence[Passage], count: int, diversity: float) -> list[Passage]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998): each next passage fits, and says something new.

    How alike two passages are is the cosine of their words, which is there in every mode and on every store.
    """
    bags = {passage.chunk_id: Counter(terms(passage.text)) for passage in passages}
    top = max((passage.score for passage in passages), default=0.0) or 1.0
    left, kept = list(passages), list[Passage]()
    alike = dict.fromkeys(bags, 0.0)
    while left and len(kept) < count:
        taken = max(left, key=lambda one: (1 - diversity) * max(one.score, 0.0) / top - diversity * alike[one.chunk_id])
        left.remove(taken)
        kept.append(taken)
        for one in left:
            alike[one.chunk_id] = max(alike[one.chunk_id], _cosine(bags[one.chunk_id], bags[taken.chunk_id]))
    return kept


def reranked(passages: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    """In the order of a model's scores; equals stay in theirs."""
    judged = [
        replace(passage, score=score, scores=replace(passage.scores, reranked=score))
        for passage, score in zip(passages, scores, strict=True)
    ]
    return sorted(judged, key=lambda passage: -passage.score)


def _cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    product = sum(count * other.get(term, 0) for term, count in one.items())
    sizes = math.sqrt(sum(n * n for n in one.values())) * math.sqrt(sum(n * n for n in other.values()))
    return product / sizes if sizes else 0.0


def nearer(asked: bytes, found: Sequence[bytes]) -> bytes:
    """The question's vector, moved half-way to the middle of those of the passages; length 1. Little-endian float32.

    A question is short, and its vector stands a little beside the texts that answer it: asking again from nearer to
    them finds those that use other words.
    """
    vectors = [array.array("f", vector) for vector in found]
    question = array.array("f", asked)
    if not vectors:
        return asked
    middle = [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]
    moved = [one + other for one, other in zip(question, middle, strict=True)]
    length = math.sqrt(sum(number * number for number in moved)) or 1.0
    return array.array("f", [number / length for number in moved]).tobytes()
