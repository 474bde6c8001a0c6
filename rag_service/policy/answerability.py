"""Whether words answer a question: how likely each sentence of the passages that were found is what was asked for.

A search finds what speaks of the matter; that is no answer yet ("the pump delivers 12 litres" does not say what it
costs). So a unit is judged by the likeness of vectors, by the question's terms that it has (rare ones count more), by
the kind of thing that is asked for, by what is counted, and by names. The weights are those of a logistic regression on
the seen half of tests/answerable_set.py, rounded; tests/unit/test_rag_answerability.py measures them on the other half.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag_service.domain.search import Passage
from rag_service.policy.asking import QUANTITIES, WORDED, Asked, Kind, holds
from rag_service.policy.defining import Saying, saying
from rag_service.policy.likeness import Cosines
from rag_service.policy.stemming import stem
from rag_service.policy.terms import terms
from rag_service.policy.units import Unit, units
from rag_service.policy.words import COUNTS, TWO

ANSWERS = 0.6
"""A unit that is so likely an answer is one; on the seen half 93 of 100 questions that have an answer reach it, and one
in ten of those that have none.
"""
MAY_ANSWER = 0.25
"""Where no unit is so likely, the passages do not answer; all answerable questions of the seen half reach it."""
NAMED_ELSEWHERE = -2.5
"""Of a passage that does not have a name which others that were found do: it speaks of somebody else."""
FURTHER_DOWN = -0.3
"""Of what the search found later, for each time that its place is e times as far: of many passages that speak of a
matter some have a sentence that looks like an answer by chance.
"""
HEADED = 0.15
"""What a term of the question counts that only stands in the titles above."""
BIAS, LIKENESS, COVERAGE, NO_SUCH_KIND, NO_SUCH_NAME, NOT_COUNTED = -4.6, 7.5, 4.5, -1.8, -1.3, -1.9
NOT_SAID = {Saying.DEFINES: 0.0, Saying.SPEAKS_OF: -2.2, Saying.MENTIONS: -4.4}
"""Where it is asked what a thing is. A question of one term is covered by whatever has that term."""
RESTRICTED = -2.0
"""Of words about several of what the question asks of one."""
CODE_IS_A_WAY = 1.0
"""Of a block of code, where it is asked how to do something."""
NO_QUANTITY = 0.4
"""What is left of the likelihood of words without a number, a duration, a price, where one is asked for, or that do not
even name what is counted.
"""
SAID_AS = {
    stem(asked_as): frozenset(terms(said_as))
    for asked_as, said_as in {
        "heavy": "weighs weight", "tall": "height high", "high": "height", "deep": "depth", "wide": "width",
        "large": "size", "big": "size", "fast": "speed", "hot": "temperature", "cold": "temperature", "old": "age",
        "expensive": "costs price",
    }.items()
}  # fmt: skip
"""Terms of a question that an answer says in another word."""
MOST_UNITS = 64
"""Whose vectors are asked for: those that have most of the question's terms."""
TWO_WITHIN = 2
COUNTED_WITHIN = 3
"""Words before what is counted in which its number stands: "two thousand eggs"."""
MORE_THAN_ONE = COUNTS.keys() - {"zero", "one"}
_LABELLED = re.compile(r"(\w+): \d")
"""As a row says it: "days: 32"."""
_TOKEN = re.compile(r"[\w.,]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit of a passage, and how likely it answers."""

    passage: Passage
    unit: Unit
    score: float = 0.0

    @property
    def read(self) -> str:
        """What its vector stands for: with what it points back to, and what explains it."""
        before = self.unit.about.rpartition("\n")[2] if self.unit.points_back else ""
        return " ".join(filter(None, (before, self.unit.said, self.unit.explained)))

    @property
    def words(self) -> str:
        """What is held against the question: of code, with the sentence that introduces it."""
        return self.read if self.unit.code else self.unit.said

    @property
    def heading(self) -> str:
        """That it stands under."""
        return self.unit.about.partition("\n")[0] or self.passage.heading.rpartition(" > ")[2]

    @property
    def around(self) -> str:
        """All that may name what it speaks of."""
        return f"{self.passage.title} {self.passage.heading} {self.unit.about} {self.unit.said}"


class Judge:
    """Of one question, by how rare its terms are among the units that were found."""

    def __init__(self, question: Asked, passages: Sequence[Passage]) -> None:
        self.question = question
        found = [Candidate(passage, unit) for passage in passages for unit in units(passage.text, passage.heading)]
        held = [frozenset(terms(one.words)) for one in found]
        count = len(found)
        texts = [f"{one.title} {one.heading} {one.text}".lower() for one in passages]
        self._places = {one.chunk_id: place for place, one in enumerate(passages)}
        self._known = [name for name in question.names if any(name in text for text in texts)]
        spread = {term: sum(_has(one, term) for one in held) for term in question.terms}
        self._rarity = {
            term: weight * math.log(1 + (count - spread[term] + 0.5) / (spread[term] + 0.5))
            for term, weight in question.terms.items()
        }
        order = sorted(range(count), key=lambda index: (-self._coverage(held[index]), index))
        self._candidates = [found[index] for index in sorted(order[:MOST_UNITS])]

    def texts(self) -> list[str]:
        """The texts whose vectors are wanted beside the question's."""
        return [one.read for one in self._candidates]

    def candidates(self, cosines: Cosines) -> list[Candidate]:
        """Each with its score, best first."""
        judged = [replace(one, score=self._likelihood(one, cosines.of_question(one.read))) for one in self._candidates]
        return sorted(judged, key=lambda one: -one.score)

    def _likelihood(self, one: Candidate, cosine: float) -> float:
        way = one.unit.code and self.question.kind is Kind.WAY
        more = self.standing(one.passage) + (CODE_IS_A_WAY if way else 0.0)
        return self.likelihood(one.words, one.around, cosine, one.heading, more)

    def standing(self, passage: Passage) -> float:
        """What the passage counts for: its place in the order of the search, and names of the question that it lacks
        and others have.
        """
        counted = FURTHER_DOWN * math.log(1 + self._places[passage.chunk_id])
        if not self._known:
            return counted
        text = f"{passage.title} {passage.heading} {passage.text}".lower()
        return counted + NAMED_ELSEWHERE * sum(name not in text for name in self._known) / len(self._known)

    def likelihood(self, said: str, around: str, cosine: float, heading: str = "", more: float = 0.0) -> float:
        """That these words answer the question: 0 to 1. `more` is for what they are, not what they say."""
        question = self.question
        held = terms(said)
        new = set(held) - set(terms(question.text))
        if not new or (question.kind in WORDED and all(term.isdigit() for term in new)):
            return 0.0  # it says the question again
        covered = self._coverage(frozenset(held))
        covered += HEADED * max(0.0, self._coverage(frozenset(terms(around))) - covered)
        total = BIAS + LIKENESS * cosine + COVERAGE * covered + more
        found = holds(question, said)
        total += 0.0 if found else NO_SUCH_KIND
        if question.subject and not counts(said, question.subject):
            total += NOT_COUNTED
        if question.thing:
            total += NOT_SAID[saying(said, heading, question.thing)]
        if restricts(said, question):
            total += RESTRICTED
        if question.names:
            known = around.lower()
            total += NO_SUCH_NAME * sum(name not in known for name in question.names) / len(question.names)
        likely = 1 / (1 + math.exp(-total))
        missing = not found and question.kind in QUANTITIES
        return likely * NO_QUANTITY if missing or (question.many and question.subject not in held) else likely

    def _coverage(self, held: frozenset[str]) -> float:
        whole = sum(self._rarity.values())
        return sum(rarity for term, rarity in self._rarity.items() if _has(held, term)) / whole if whole else 0.0


def _has(held: frozenset[str], term: str) -> bool:
    return term in held or not held.isdisjoint(SAID_AS.get(term, ()))


def restricts(said: str, question: Asked) -> bool:
    """Whether a text speaks of several, where the question asks of one: "both stores", "two stores"."""
    words = [word.strip(".,:;") for word in said.lower().split()]
    known = set(question.text.lower().split())
    for at, word in enumerate(words):
        if word in TWO - known and any(stem(near) in question.terms for near in words[at + 1 : at + 1 + TWO_WITHIN]):
            return True
        if word in MORE_THAN_ONE - known and not {*words[at + 1 : at + 2]} <= known:
            return any(stem(near) in question.terms for near in words[at + 1 : at + 2])
    return False


def counts(said: str, subject: str) -> bool:
    """Whether a number of the subject stands in a text."""
    if any(stem(match[1].lower()) == subject for match in _LABELLED.finditer(said)):
        return True
    words = [word.strip(".,") for word in _TOKEN.findall(said.lower())]
    places = [place for place, word in enumerate(words) if stem(word) == subject]
    return any(
        word[:1].isdigit() or word in COUNTS or word in ("no", "none")
        for place in places
        for word in words[max(0, place - COUNTED_WITHIN) : place]
    )
