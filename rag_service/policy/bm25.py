"""BM25 over postings: exact, over every posting of the question's terms (docs/decisions/0007-lexical-runs.md).

A posting is eight bytes, big-endian, so that PostgreSQL can compare them: the chunk's number in its collection (32
bits), how often the term is in it, how many terms it has (16 bits each).
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rag_service.domain.search import Size

K1 = 1.5
B = 0.75
MOST = 65535
SPARSE = 16
"""Numbers are looked up in a table as long as the highest, unless that is so many times as long as the postings."""
FILLED = 4
"""A term that so manieth chunk has is added to the whole table at once."""
BLOCK = 64
"""So many scores have one best; the best of those bound the best of all."""
_POSTING = struct.Struct(">IHH")
POSTING_BYTES = _POSTING.size

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def posting(number: int, frequency: int, length: int) -> bytes:
    """A chunk's posting of one term."""
    return _POSTING.pack(number, min(frequency, MOST), min(length, MOST))


def gains(parts: Sequence[bytes], size: Size, k1: float = K1, b: float = B) -> tuple[Numbers, Scores]:
    """What a term gives to each chunk that has it: (numbers, scores)."""
    rows = np.frombuffer(b"".join(parts), ">u4").reshape(-1, 2)
    counts = rows[:, 1].astype(np.uint32)
    frequency, length = (counts >> 16).astype(np.float64), (counts & MOST).astype(np.float64)
    mean = max(size.words / size.chunks, 1.0) if size.chunks else 1.0
    length *= k1 * b / mean
    length += k1 * (1 - b)
    length += frequency
    frequency *= (k1 + 1) * np.log(1 + (size.chunks - len(rows) + 0.5) / (len(rows) + 0.5))
    frequency /= length
    return rows[:, 0].astype(np.int64), frequency


def summed(told: Mapping[str, tuple[Numbers, Scores]], weights: Mapping[str, float]) -> tuple[Numbers, Scores]:
    """(numbers, scores) of all chunks that have one of the terms. A term counts as often as its weight says."""
    known = [(*told[term], weight) for term, weight in weights.items() if term in told and len(told[term][0])]
    held = [(numbers, gain if weight == 1 else gain * weight) for numbers, gain, weight in known]
    if not held:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    top = max(int(numbers.max()) for numbers, _ in held) + 1
    if top > SPARSE * sum(len(numbers) for numbers, _ in held):
        numbers, gained = (np.concatenate(parts) for parts in zip(*held, strict=True))
        found, places = np.unique(numbers, return_inverse=True)
        return found, np.bincount(places, gained, len(found)).astype(np.float64, copy=False)
    sums = np.zeros(top)
    for numbers, gain in held:
        if len(numbers) > top // FILLED:
            np.add(sums, np.bincount(numbers, gain, top), out=sums)
        else:
            sums[numbers] += gain
    found = np.flatnonzero(sums > 0)
    return found, sums[found]


def best(found: Numbers, scores: Scores, limit: int) -> tuple[Numbers, Scores]:
    """The best of them, equals by number."""
    if len(scores) > 2 * BLOCK * limit:
        # As many blocks as are wanted have a score that reaches this: so have the best of all.
        tops = scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK).max(axis=1)
        kept = scores >= np.partition(tops, len(tops) - limit)[len(tops) - limit]
        found, scores = found[kept], scores[kept]
    if len(scores) > limit:
        kept = scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit]
        found, scores = found[kept], scores[kept]
    order = np.lexsort((found, -scores))[:limit]
    return found[order], scores[order]
