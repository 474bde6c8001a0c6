"""Fusion of rankings, and what the best of them say about the question."""

import array
import math
from collections import defaultdict
from collections.abc import Sequence

RANK_CONSTANT = 60
FEEDBACK = 3
"""Passages that are believed to be about the question (pseudo-relevance feedback, Rocchio 1971)."""


def fuse(rankings: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with the sum of 1 / (60 + rank) over the rankings they are in, best first."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (name, _) in enumerate(ranking, 1):
            scores[name] += 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


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
