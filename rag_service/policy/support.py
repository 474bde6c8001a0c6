"""Whether a passage carries a sentence: a judge that asks no model, and says the same each time.

Shared words are not enough: a sentence that turns a passage round shares them all. So beside words and the likeness of
vectors it looks at what decides: numbers, negation, opposites, names, who does what to whom. Calibrated on the labelled
pairs in tests/support_pairs.py, half to choose the bounds and half to measure (tests/unit/test_rag_support.py).
"""

import re
from collections.abc import Sequence
from enum import Enum

from rag_service.policy.differences import (
    adds,
    affirmed,
    denies,
    differs,
    meant,
    mixed,
    numbers,
    scattered,
    substituted,
    swapped,
)
from rag_service.policy.terms import terms


class Support(Enum):
    """What a passage says of a sentence."""

    CARRIES = "carries"
    SILENT = "silent"
    CONTRADICTS = "contradicts"


OVERLAP = 0.67
"""Share of a sentence's terms that the place must have, where vectors say nothing."""
ALIKE = 0.7
"""Cosine of sentence and place above which a smaller share is enough."""
ALIKE_OVERLAP = 0.5
DENIED_OVERLAP = 0.8
"""Of a sentence that denies something: of what, decides all."""
SAME_MATTER = 0.5
"""Share of terms from which on a difference is a contradiction and not another matter."""

_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b(?:[A-Z][\w-]*[a-z0-9]|[A-Z]{2,}[\w-]*|\w+_\w+)\b")


def judge(sentence: str, place: str, around: str, cosine: float | None = None, titles: str = "") -> Support:
    """What a place in a passage says of a sentence; `around` is all that may name what the place speaks of: passage and
    titles. `cosine` is the likeness of their vectors, where somebody asked. A number must stand in the place itself, or
    in the titles above it: another sentence's number says something else.
    """
    wanted = list(dict.fromkeys(terms(sentence)))
    if not wanted:
        return Support.SILENT
    place = affirmed(place)
    held = set(terms(place))
    share = sum(term in held for term in wanted) / len(wanted)
    clause = meant(wanted, place)
    other = differs(sentence, clause)
    if other and share >= SAME_MATTER:
        return Support.CONTRADICTS
    bound = ALIKE_OVERLAP if cosine is not None and cosine >= ALIKE else OVERLAP
    bound = DENIED_OVERLAP if denies(sentence) else bound
    if other or share < bound or not numbers(sentence) <= numbers(f"{place} {titles}"):
        return Support.SILENT
    if not _names_known(sentence, around) or not _subject_known(sentence, f"{place} {around}"):
        return Support.SILENT
    if adds(sentence, place) or mixed(sentence, place) or substituted(sentence, clause) or scattered(sentence, place):
        return Support.SILENT
    return Support.CONTRADICTS if swapped(sentence, clause) else Support.CARRIES


def overlap(sentence: str, place: str) -> float:
    """Share of a sentence's terms that a place has."""
    wanted = set(terms(sentence))
    return len(wanted & set(terms(place))) / len(wanted) if wanted else 0.0


def _names_known(sentence: str, around: str) -> bool:
    """Names in the middle of a sentence must be in the passage."""
    known = around.lower()
    return all(name.lower() in known for name in _NAME.findall(sentence))


def _subject_known(sentence: str, around: str) -> bool:
    """The first word that means something must be in the passage: who a sentence speaks of decides what it says."""
    first = next(iter(terms(sentence)), "")
    return first in set(terms(around))


def best(sentence: str, places: Sequence[str], most: int) -> list[int]:
    """Which places share most with a sentence, best first; none that shares nothing."""
    shares = [(overlap(sentence, place), -index) for index, place in enumerate(places)]
    return [-index for share, index in sorted(shares, reverse=True)[:most] if share > 0]
