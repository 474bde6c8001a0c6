"""What makes two sayings differ that share their words: numbers, negation, opposites, duties, counts, one word in the
place of another, parts of two clauses mixed, and who does it to whom. Whether they share enough, support.py says.
"""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import combinations

from rag_service.policy.stemming import stem
from rag_service.policy.terms import STOP_WORDS, terms
from rag_service.policy.words import (
    ALLOWING,
    COUNTS,
    DEMANDING,
    FRONTED,
    FUNCTION,
    NEGATING,
    NEGATIONS,
    OPPOSITE,
    SOME,
    SUBORDINATE,
    UNIVERSAL,
)

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
SCALES = {
    "hundred": 1e2, "thousand": 1e3, "tsd": 1e3, "k": 1e3, "million": 1e6, "millionen": 1e6, "mio": 1e6, "m": 1e6,
    "mn": 1e6, "billion": 1e9, "milliarden": 1e9, "mrd": 1e9, "bn": 1e9, "trillion": 1e12, "lakh": 1e5, "crore": 1e7,
}  # fmt: skip
"""What a number is multiplied by that one of them follows."""
_SCALED = re.compile(
    rf"(?<![\d.,:])\b(\d[\d,]*(?:\.\d+)?|(?i:{'|'.join(COUNTS)}))"
    r"(?:[\s-]+(?i:(hundred|thousand|tsd|million|millionen|mio|billion|milliarden|mrd|trillion|lakh|crore)s?)\b"
    r"|\s?(k|m|M|mn|bn)(?=\s?[€$£]|[A-Z]{3}\b)|(k|M|bn)\b)"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001  # both apostrophes stand in texts
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001  # both apostrophes stand in texts
_PASSIVE = re.compile(r"\bby\b", re.IGNORECASE)
_INSTEAD = re.compile(r"\b(?:instead of|rather than|unlike|other than)\b[^,;.]*", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[;,:]|[.!?](?=\s)|\b(?:and|or|but|since|because|unless|except|while|whereas|although)\b", re.IGNORECASE
)
CLAUSE_TERMS = 2
CLAUSE_SHARE = 0.75
"""Of the terms that a sentence shares with the whole place, the part that a clause must have to be meant alone."""
SWAPPED_TERMS = 10
SUBSTITUTED_WORDS = 2
SCATTERED, NEARBY = 2, 4
"""Terms among which those that are shared must stand: so many times their number, and some."""


def affirmed(place: str) -> str:
    """A place without what it says is not so ("instead of two")."""
    return _INSTEAD.sub("", place)


def differs(sentence: str, place: str) -> bool:
    """Whether the two cannot both be said of the same: other numbers, one of them negated, opposites, a duty for
    what is allowed, all for some.
    """
    said, there = numbers(sentence), numbers(place)
    if said - there and there - said:
        return True
    mine, theirs = _words(sentence), _words(place)
    if _negations(mine) % 2 != _negations(theirs) % 2:
        return True
    if _one_of(mine, theirs, DEMANDING, ALLOWING) or _one_of(mine, theirs, ALLOWING, DEMANDING):
        return True
    if _one_of(mine, theirs, UNIVERSAL, SOME):
        return True
    stems, others = Counter(map(stem, mine)), Counter(map(stem, theirs))
    return any(
        stems[word] > others[word] and any(others[other] > stems[other] for other in OPPOSITE[word])
        for word in stems.keys() & OPPOSITE.keys()
    )


def denies(sentence: str) -> bool:
    """Whether a sentence says that something is not so."""
    return _negations(_words(sentence)) > 0


def adds(sentence: str, place: str) -> bool:
    """Whether a sentence says of all what the place does not say of all."""
    return bool(UNIVERSAL & set(_words(sentence))) and not (UNIVERSAL | {"no", "none"}) & set(_words(place))


def meant(wanted: Sequence[str], place: str) -> str:
    """The clause of a place that a sentence speaks of, or the whole place if it speaks of more than one."""
    clauses = _clauses(place)
    asked = set(wanted)
    whole = len(asked & set(terms(place)))
    shares = [len(asked & set(terms(clause))) for clause in clauses]
    most = max(shares)
    return clauses[shares.index(most)] if most >= CLAUSE_SHARE * whole else place


def mixed(sentence: str, place: str) -> bool:
    """Whether a sentence takes a part of one clause and a part of another that stands beside it, and all of neither:
    "basic plans keep seven copies, plus plans thirty" says nothing of basic plans and thirty. Or all of one that says
    that it is not so.
    """
    clauses = [clause for clause in _clauses(place, 1) if terms(clause)]
    if len(clauses) < 2 or any(SUBORDINATE & set(_words(clause)[:2]) for clause in clauses):
        return False
    said = _content(sentence)
    held = [_content(clause) for clause in clauses]
    denied = _negations(_words(sentence)) % 2
    givers = []
    for index, (clause, mine) in enumerate(zip(clauses, held, strict=True)):
        own = mine - set().union(*(other for place, other in enumerate(held) if place != index))
        if own & said:
            givers.append(own - said)
            if own <= said and _negations(_words(clause)) % 2 != denied:
                return True
    return len(givers) > 1 and all(givers)


def substituted(sentence: str, place: str) -> bool:
    """Whether a word or two of the place are others in the sentence while what stands around them is the same."""
    said, there = _tokens(sentence), _tokens(place)
    held = set(there)
    blocks = SequenceMatcher(None, said, there, autojunk=False).get_opcodes()
    for before, change, behind in zip(blocks, blocks[1:], blocks[2:], strict=False):
        _, start, end, first, last = change
        if change[0] != "replace" or before[0] != "equal" or behind[0] != "equal":
            continue
        new = [word for word in said[start:end] if word not in held and word not in STOP_WORDS]
        old = [word for word in there[first:last] if word not in STOP_WORDS]
        if new and old and max(end - start, last - first) <= SUBSTITUTED_WORDS:
            return True
    return False


def scattered(sentence: str, place: str) -> bool:
    """Whether what a long place shares with a sentence stands far apart in it: such words say nothing together."""
    wanted = set(terms(sentence))
    held = terms(place)
    shared = wanted & set(held)
    last: dict[str, int] = {}
    closest = len(held)
    for index, term in enumerate(held):
        if term in shared:
            last[term] = index
            if len(last) == len(shared):
                closest = min(closest, index - min(last.values()) + 1)
    return closest > SCATTERED * len(shared) + NEARBY


def swapped(sentence: str, place: str) -> bool:
    """Whether three words of both stand in one in the reverse of their order in the other: a calls b, b calls a."""
    if bool(_PASSIVE.search(sentence)) != bool(_PASSIVE.search(place)) or FRONTED & set(_words(sentence)[:1]):
        return False
    held = terms(place)
    shared = [term for term in dict.fromkeys(terms(sentence)) if term in held][:SWAPPED_TERMS]
    order = [held.index(term) for term in shared]
    return any(one > other > third for one, other, third in combinations(order, 3))


def numbers(text: str) -> set[str]:
    """In digits; "one" is not counted, since it means more."""
    scaled = {_scaled(match) for match in _SCALED.finditer(text)}
    text = _SCALED.sub(" ", text)
    found = {match.rstrip(".,:").replace(",", "") for match in _NUMBER.findall(text)}
    return found | scaled | {COUNTS[word] for word in _words(text) if word in COUNTS and word != "one"}


def _scaled(match: re.Match[str]) -> str:
    """Two million is not two: the number that is meant."""
    number = COUNTS.get(match[1].lower(), match[1].replace(",", ""))
    return f"{float(number) * SCALES[(match[2] or match[3] or match[4]).lower()]:.15g}"


def _clauses(place: str, least: int = CLAUSE_TERMS) -> list[str]:
    """Parts of a place; each has so many terms at least."""
    clauses: list[str] = []
    start = 0
    for cut in [*(match.start() for match in _CLAUSE.finditer(place)), len(place)]:
        if len(terms(place[start:cut])) >= least or cut == len(place):
            clauses.append(place[start:cut])
            start = cut
    return clauses


def _content(text: str) -> set[str]:
    """Stems and numbers that say something."""
    kept = " ".join(word for word in _TOKEN.findall(text) if word.lower() not in FUNCTION)
    return {COUNTS.get(term, term) for term in terms(kept)}


def _tokens(text: str) -> list[str]:
    return [COUNTS.get(word, stem(word)) for word in map(str.lower, _TOKEN.findall(text))]


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]  # noqa: RUF001  # both stand in texts


def _negations(words: Sequence[str]) -> int:
    return sum(word in NEGATIONS or stem(word) in NEGATING for word in words)


def _one_of(mine: Sequence[str], theirs: Sequence[str], one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the first says one of these where the second says only one of those."""
    here, there = set(mine), set(theirs)
    return bool(one & here) and not one & there and bool(other & there) and not other & here
