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
_POSTING = struct.Struct(">IHH")
POSTING_BYTES = _POSTING.size
_ROWS = np.dtype([("number", ">u4"), ("frequency", ">u2"), ("length", ">u2")])


def posting(number: int, frequency: int, length: int) -> bytes:
    """A chunk's posting of one term."""
    return _POSTING.pack(number, min(frequency, MOST), min(length, MOST))


def score(
    lists: Mapping[str, Sequence[bytes]], weights: Mapping[str, float], size: Size, k1: float = K1, b: float = B
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(numbers, scores) of all chunks that have one of the terms, best first, equals by number. A term counts as often
    as its weight says.
    """
    mean = max(size.words / size.chunks, 1.0) if size.chunks else 1.0
    numbers: list[npt.NDArray[np.int64]] = []
    gains: list[npt.NDArray[np.float64]] = []
    for term, parts in lists.items():
        rows = np.frombuffer(b"".join(parts), _ROWS)
        if not len(rows):
            continue
        frequency, length = rows["frequency"].astype(np.float64), rows["length"].astype(np.float64)
        rarity = np.log(1 + (size.chunks - len(rows) + 0.5) / (len(rows) + 0.5))
        gains.append(weights[term] * rarity * frequency * (k1 + 1) / (frequency + k1 * (1 - b + b * length / mean)))
        numbers.append(rows["number"].astype(np.int64))
    if not numbers:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    return _summed(numbers, gains)


def best(
    found: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The best of them, equals by number."""
    if len(scores) > limit:
        bound = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        kept = scores >= bound
        found, scores = found[kept], scores[kept]
    order = np.lexsort((found, -scores))[:limit]
    return found[order], scores[order]


def _summed(
    numbers: Sequence[npt.NDArray[np.int64]], gains: Sequence[npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Each number once, with the sum of its gains. A number is in a term's postings once."""
    top = max(int(part.max()) for part in numbers) + 1
    if top > SPARSE * sum(map(len, numbers)):
        found, places = np.unique(np.concatenate(numbers), return_inverse=True)
        return found, np.bincount(places, np.concatenate(gains), len(found)).astype(np.float64)
    sums = np.zeros(top)
    for part, gain in zip(numbers, gains, strict=True):
        sums[part] += gain
    found = np.flatnonzero(sums)
    return found, sums[found]
