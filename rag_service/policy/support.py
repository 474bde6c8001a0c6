"""Whether a passage carries a sentence: a judge that asks no model, and says the same each time.

Shared words are not enough: a sentence that turns a passage round shares them all. So beside words and the likeness of
vectors it looks at what decides: numbers, negation, opposites, names, who does what to whom. Calibrated on the labelled
pairs in tests/support_pairs.py, half to choose the bounds and half to measure (tests/unit/test_rag_support.py).
"""

import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from itertools import combinations

from rag_service.policy.stemming import stem
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
SAME_MATTER = 0.5
"""Share of terms from which on a difference is a contradiction and not another matter."""

_NEGATIONS = frozenset(
    re.findall(
        r"\S+",
        "no not never none nothing neither nor without cannot can't cant won't wont don't dont doesn't doesnt didn't "
        "didnt isn't isnt aren't arent wasn't wasnt weren't werent hasn't haven't hadn't shouldn't mustn't unable "
        "fails failed refuses refused lacks lacked impossible forbidden prohibited",
    )
)
_OPPOSITES = re.findall(
    r"(\w+)/(\w+)",
    "increase/decrease increase/reduce rise/fall rose/fell higher/lower highest/lowest high/low more/less most/least "
    "larger/smaller largest/smallest large/small before/after above/below always/never allowed/forbidden first/last "
    "maximum/minimum stable/unstable laminar/turbulent subsonic/supersonic upper/lower open/closed enabled/disabled "
    "accept/refuse include/exclude faster/slower earlier/later positive/negative thick/thin thicker/thinner good/poor "
    "better/worse strong/weak hot/cold heated/cooled heated/cold inside/outside possible/impossible succeed/fail "
    "public/private required/optional gain/lose add/remove front/rear left/right early/late win/lose buy/sell "
    "lend/borrow accelerate/decelerate attached/separated symmetric/asymmetric import/export",
)
OPPOSITE: dict[str, set[str]] = {}
for _pair in _OPPOSITES:
    _one, _other = map(stem, _pair)
    OPPOSITE.setdefault(_one, set()).add(_other)
    OPPOSITE.setdefault(_other, set()).add(_one)
_COUNTS = {
    name: str(number)
    for number, name in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen",
        )
    )
} | {"twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "hundred": "100", "thousand": "1000", "twice": "2"}
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001  # both apostrophes stand in texts
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b(?:[A-Z][\w-]*[a-z0-9]|[A-Z]{2,}[\w-]*|\w+_\w+)\b")
_PASSIVE = re.compile(r"\bby\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[;,:]|[.!?](?=\s)|\b(?:and|but|since|because|unless|except|while|whereas|although)\b", re.IGNORECASE
)
CLAUSE_TERMS = 2
CLAUSE_SHARE = 0.75
"""Of the terms that a sentence shares with the whole place, the part that a clause must have to be meant alone."""
SWAPPED_TERMS = 10


def judge(sentence: str, place: str, around: str, cosine: float | None = None) -> Support:
    """What a place in a passage says of a sentence; `around` is all that may name what the place speaks of: passage and
    title. `cosine` is the likeness of their vectors, where somebody asked.
    """
    wanted = list(dict.fromkeys(terms(sentence)))
    if not wanted:
        return Support.SILENT
    held = set(terms(place))
    share = sum(term in held for term in wanted) / len(wanted)
    differs = _differs(sentence, _meant(wanted, place))
    if differs and share >= SAME_MATTER:
        return Support.CONTRADICTS
    bound = ALIKE_OVERLAP if cosine is not None and cosine >= ALIKE else OVERLAP
    if differs or share < bound or not _numbers(sentence) <= _numbers(f"{place} {around}"):
        return Support.SILENT
    if not _names_known(sentence, around) or not _subject_known(sentence, f"{place} {around}"):
        return Support.SILENT
    return Support.CONTRADICTS if _swapped(sentence, place) else Support.CARRIES


def overlap(sentence: str, place: str) -> float:
    """Share of a sentence's terms that a place has."""
    wanted = set(terms(sentence))
    return len(wanted & set(terms(place))) / len(wanted) if wanted else 0.0


def _differs(sentence: str, place: str) -> bool:
    """Whether the two cannot both be said of the same: other numbers, one of them negated, opposites."""
    said, there = _numbers(sentence), _numbers(place)
    if said - there and there - said:
        return True
    words, others = _words(sentence), _words(place)
    if (sum(word in _NEGATIONS for word in words) % 2) != (sum(word in _NEGATIONS for word in others) % 2):
        return True
    mine, theirs = Counter(map(stem, words)), Counter(map(stem, others))
    return any(
        mine[word] > theirs[word] and any(theirs[other] > mine[other] for other in OPPOSITE[word])
        for word in mine.keys() & OPPOSITE.keys()
    )


def _meant(wanted: Sequence[str], place: str) -> str:
    """The clause of a place that a sentence speaks of, or the whole place if it speaks of more than one."""
    clauses: list[str] = []
    start = 0
    for cut in [*(match.start() for match in _CLAUSE.finditer(place)), len(place)]:
        if len(terms(place[start:cut])) >= CLAUSE_TERMS or cut == len(place):
            clauses.append(place[start:cut])
            start = cut
    asked = set(wanted)
    whole = len(asked & set(terms(place)))
    shares = [len(asked & set(terms(clause))) for clause in clauses]
    most = max(shares)
    return clauses[shares.index(most)] if most >= CLAUSE_SHARE * whole else place


def _numbers(text: str) -> set[str]:
    found = {match.rstrip(".,:").replace(",", "") for match in _NUMBER.findall(text)}
    return found | {_COUNTS[word] for word in _words(text) if word in _COUNTS and word != "one"}


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]  # noqa: RUF001  # both stand in texts


def _names_known(sentence: str, around: str) -> bool:
    """Names in the middle of a sentence must be in the passage."""
    known = around.lower()
    return all(name.lower() in known for name in _NAME.findall(sentence))


def _subject_known(sentence: str, around: str) -> bool:
    """The first word that means something must be in the passage: who a sentence speaks of decides what it says."""
    first = next(iter(terms(sentence)), "")
    return first in set(terms(around))


def _swapped(sentence: str, place: str) -> bool:
    """Whether three words of both stand in one in the reverse of their order in the other: a calls b, b calls a."""
    if bool(_PASSIVE.search(sentence)) != bool(_PASSIVE.search(place)):
        return False
    held = terms(place)
    shared = [term for term in dict.fromkeys(terms(sentence)) if term in held][:SWAPPED_TERMS]
    order = [held.index(term) for term in shared]
    return any(one > other > third for one, other, third in combinations(order, 3))


def best(sentence: str, places: Sequence[str], most: int) -> list[int]:
    """Which places share most with a sentence, best first; none that shares nothing."""
    shares = [(overlap(sentence, place), -index) for index, place in enumerate(places)]
    return [-index for share, index in sorted(shares, reverse=True)[:most] if share > 0]
