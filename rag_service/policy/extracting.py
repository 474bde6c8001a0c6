"""An answer in the documents' own words: the units that answer best, whole, each said once, with its span."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_service.domain.search import Passage
from rag_service.policy.answerability import Candidate
from rag_service.policy.markdown import is_row
from rag_service.policy.terms import terms
from rag_service.policy.units import NEAR, Unit, units

MOST = 3
NEARLY_AS_GOOD = 0.5
"""Of the best one's odds, the share from which on another unit is said, too."""
SAME = 0.7
"""Of the terms of two units; above, they say the same."""
MOST_FOLLOWING = 8
MOST_CHARACTERS = 1200
_LEADS_ON = re.compile(r":[\"'”’)\]*_`]*$")  # noqa: RUF001  # quotation marks stand in texts


@dataclass(frozen=True, slots=True)
class Extract:
    """Words to say, and the span of the passage that they are from."""

    passage: Passage
    start: int
    end: int
    said: str


def extracts(candidates: Sequence[Candidate], least: float) -> list[Extract]:
    """Of candidates, best first: those that are so likely an answer at least, and nearly as good as the best."""
    if not candidates or candidates[0].score < least:
        return []
    odds = candidates[0].score / max(1 - candidates[0].score, 1e-9) * NEARLY_AS_GOOD
    bound = max(least, odds / (1 + odds))
    kept: list[Extract] = []
    bags: list[frozenset[str]] = []
    for one in candidates:
        if one.score < bound or len(kept) == MOST:
            break
        made = _whole(one)
        bag = frozenset(terms(made.said))
        if not any(_same(bag, other) for other in bags):
            kept.append(made)
            bags.append(bag)
    return kept


def _whole(one: Candidate) -> Extract:
    """The unit, with the one before it that it points back to, and with what its colon announces."""
    passage, found = one.passage, units(one.passage.text, one.passage.heading)
    first = last = found.index(one.unit)
    if one.unit.points_back and first and _near(passage, found[first - 1], one.unit):
        first -= 1
    if _LEADS_ON.search(one.unit.said):
        while (
            last + 1 < len(found) and last - first < MOST_FOLLOWING and _follows(passage, found[last], found[last + 1])
        ):
            if found[last + 1].end - found[first].start > MOST_CHARACTERS:
                break
            last += 1
    parts = found[first : last + 1]
    return Extract(passage, found[first].start, found[last].end, _said(parts))


def _said(parts: Sequence[Unit]) -> str:
    if len(parts) == 1 and not parts[0].code:
        return parts[0].said
    text = ""
    for unit in parts:
        if unit.code:
            text += f"\n```\n{unit.said}\n```"
        elif unit.item:
            text += f"\n- {unit.said}"
        else:
            text += f" {unit.said}"
    return text.strip()


def _near(passage: Passage, one: Unit, other: Unit) -> bool:
    gap = passage.text[one.end : other.start]
    return len(gap) <= NEAR and (other.code or "\n\n" not in gap)


def _follows(passage: Passage, one: Unit, other: Unit) -> bool:
    """Whether a unit belongs to the list, table or block that the one before it announces, or is part of."""
    if passage.text[one.end : other.start].count("\n") > NEAR:
        return False
    return other.item or other.code or is_row(passage.text[other.start :])


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= SAME * min(len(one), len(other))
