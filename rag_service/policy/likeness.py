"""Likeness of texts, by the vectors of those that somebody had embedded."""

from collections.abc import Mapping, Sequence


class Cosines:
    """Of texts, and of the question, whose vector some models make in another way than a document's."""

    def __init__(self, vectors: Mapping[str, Sequence[float]], question: Sequence[float] = ()) -> None:
        self._vectors = vectors
        self._question = question

    def of(self, one: str, other: str) -> float | None:
        """None where nobody asked."""
        first, second = self._vectors.get(one), self._vectors.get(other)
        if first is None or second is None:
            return None
        return _dot(first, second)

    def of_question(self, text: str) -> float:
        """0 where nobody asked."""
        vector = self._vectors.get(text)
        return _dot(self._question, vector) if vector is not None and self._question else 0.0


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
