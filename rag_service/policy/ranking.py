"""Fusion of rankings."""

from collections import defaultdict
from collections.abc import Sequence

RANK_CONSTANT = 60


def fuse(rankings: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with the sum of 1 / (60 + rank) over the rankings they are in, best first."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (name, _) in enumerate(ranking, 1):
            scores[name] += 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
