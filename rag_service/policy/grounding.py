"""What of a model's answer stands in the documents, and whether it answers: each sentence is cited, left out, or marked
by the answer's state.

A citation is made here, never believed: its quote is cut out of the passage. What no place carries is left out where
grounding is required; what a place contradicts is left out always. What stands there but does not answer is no answer:
then the documents speak themselves, if one of their sentences does. The state follows from that, not from a mood.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from rag_service.domain.answers import AnswerState, Citation, Grounding
from rag_service.domain.search import Passage
from rag_service.policy.answerability import ANSWERS, MAY_ANSWER
from rag_service.policy.chunking import sentences
from rag_service.policy.defining import Saying, saying
from rag_service.policy.evidence import Evidence
from rag_service.policy.extracting import Extract, extracts
from rag_service.policy.likeness import Cosines
from rag_service.policy.markdown import is_row
from rag_service.policy.support import Support, best, judge
from rag_service.policy.terms import terms
from rag_service.policy.units import NEAR, units

Grounded = tuple[AnswerState, str, list[Citation]]

ANSWERED_SHARE = 0.6
"""Of an answer's sentences, where those that nothing carries are let stand."""
AS_GOOD = 0.8
"""Of the likelihood of the documents' best sentence: a model's words that reach it are preferred to the documents'."""
PLACES = 3
"""Places that are looked at for one sentence: those that share most words."""
MOST_SENTENCES = 24
"""Of an answer that are judged by vectors, too."""
ABSTENTION = "The documents say nothing about this."
FENCE = "```"
MARK_CHARACTERS = 6
"""Of a mark behind a sentence."""
_MARK = re.compile(r"\s*\[(\d{1,3})\]")
_QUOTATION = re.compile(r"</? ?passage[^>\n]*>?")
_EMPTY_BLOCK = re.compile(r"(?:^[^\S\n]*```[^\S\n]*\n\s*```[^\S\n]*(?:\n|\Z))+", re.MULTILINE)
_REFUSAL = re.compile(
    r"\b(?:passages?|documents?|texts?|contexts?|sources?|information|i|we)\b[^.!?]{0,30}"
    r"\b(?:do(?:es)?|did|is|are|was|were|can|could|has|have)(?: not|n't|not)\b[^.!?]{0,40}"
    r"\b(?:answer|say|state|mention|contain|provide|specif|includ|find|found|give|tell|describ|know|determin|available)"
    r"|\bno (?:information|mention) (?:of|about|on|in)\b|\bnot (?:mentioned|stated|specified|provided) in\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A unit of a passage, or two that follow each other: its span, and how it reads."""

    passage: Passage
    start: int
    end: int
    said: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, what stands before it, and the places that may carry it, best first."""

    text: str
    between: str
    places: tuple[Place, ...]


@dataclass(slots=True)
class _Said:
    """What of a model's answer is left: with its marks, and without."""

    marked: str = ""
    plain: str = ""
    cited: list[Citation] = field(default_factory=list)
    sentences: int = 0
    carried: int = 0
    bearing: float = 0.0
    """How likely the best of what is carried answers."""
    refused: bool = False


def claims(answer: str, passages: Sequence[Passage]) -> list[Claim]:
    """The sentences of an answer, without the marks and repetitions of small models."""
    answer = _EMPTY_BLOCK.sub("", _QUOTATION.sub("", answer))
    places = [place for passage in passages for place in _places(passage)]
    texts = [place.said for place in places]
    found: list[Claim] = []
    before: set[tuple[str, ...]] = set()
    position = 0
    for start, end in sentences(answer):
        sentence = _MARK.sub("", answer[start:end])
        words = tuple(terms(sentence))
        between, position = answer[position:start], end
        if words and words in before:
            continue
        before.add(words)
        near = tuple(places[index] for index in best(sentence, texts, PLACES)) if words else ()
        if set(sentence.split()) != {FENCE} or answer[:start].count(FENCE) % 2:
            # Else it opens a block of code that the model never writes.
            found.append(Claim(sentence, between, near))
    return found


def alike(found: Sequence[Claim]) -> list[str]:
    """The texts whose vectors the judge wants to see."""
    judged = [claim for claim in found if claim.places][:MOST_SENTENCES]
    texts = (text for claim in judged for text in (claim.text, *(place.said for place in claim.places)))
    return list(dict.fromkeys(texts))


def carriers(answer: str, passages: Sequence[Passage]) -> list[tuple[int, Passage]]:
    """Where in an answer a passage is cited: behind each mark, and behind each sentence without one that a passage
    carries by its words.
    """
    cited = [
        (mark.end(), passages[int(mark[1]) - 1])
        for mark in _MARK.finditer(answer)
        if 1 <= int(mark[1]) <= len(passages)
    ]
    places = [place for passage in passages for place in _places(passage)]
    texts = [place.said for place in places]
    for start, end in islice(sentences(answer), MOST_SENTENCES):
        sentence = answer[start:end]
        if not terms(sentence) or _MARK.search(answer[start : end + MARK_CHARACTERS]):
            continue
        near = tuple(places[index] for index in best(sentence, texts, PLACES))
        verdict, place = _verdict(Claim(sentence, "", near), Cosines({}))
        if verdict is Support.CARRIES and place is not None:
            cited.append((start + len(sentence.rstrip()), place.passage))
    return sorted(cited, key=lambda one: one[0])


def ground(found: Sequence[Claim], evidence: Evidence, grounding: Grounding, cosines: Cosines) -> Grounded:
    """The state, the words with their marks, the citations."""
    if not evidence.passages and grounding is Grounding.REQUIRED:
        return AnswerState.ABSTAINED, ABSTENTION, []
    said = _said(found, evidence, grounding, cosines)
    if said.bearing >= max(ANSWERS, AS_GOOD * evidence.best):
        return _state(said, grounding), said.marked.strip(), said.cited
    if own := extracts(evidence.candidates, ANSWERS):
        # A model that says that they do not answer may be right.
        return _quoted(own, AnswerState.PARTIAL if said.refused else AnswerState.ANSWERED)
    if said.bearing >= MAY_ANSWER:
        return AnswerState.PARTIAL, said.marked.strip(), said.cited
    if grounding is Grounding.PREFERRED and terms(said.plain):
        return AnswerState.UNGROUNDED, said.plain.strip(), []
    return AnswerState.ABSTAINED, ABSTENTION, []


def _said(found: Sequence[Claim], evidence: Evidence, grounding: Grounding, cosines: Cosines) -> _Said:
    said = _Said()
    remarks: list[Claim] = []
    told: set[str] = set()
    for claim in found:
        if not terms(claim.text):
            said.marked += claim.between + claim.text
            said.plain += claim.between + claim.text
            continue
        said.sentences += 1
        verdict, place = _verdict(claim, cosines)
        if place is not None:
            said.carried += 1
            told.update(terms(claim.text))
            citation = _cite(said.cited, place.passage, (place.start, place.end))
            said.marked += f"{claim.between}{claim.text} [{citation.number}]"
            said.plain += claim.between + claim.text
            said.bearing = max(said.bearing, _bearing(claim, place, evidence, cosines))
            continue
        if _REFUSAL.search(claim.text):
            said.refused = True
            remarks.append(claim)
            said.plain += claim.between + claim.text
        elif verdict is not Support.CONTRADICTS and grounding is Grounding.PREFERRED:
            said.marked += claim.between + claim.text
            said.plain += claim.between + claim.text
    if said.carried:
        # "It says nothing else" behind what was asked for is no part of the answer.
        open_terms = set(evidence.judge.question.terms) - told
        said.sentences -= sum(not open_terms & set(terms(one.text)) for one in remarks)
    return said


def _bearing(claim: Claim, place: Place, evidence: Evidence, cosines: Cosines) -> float:
    """How likely a sentence that is carried answers: by its own words, or as far as the unit that it repeats does."""
    if evidence.judge.question.broad:
        return 1.0
    thing = evidence.judge.question.thing
    if thing and saying(claim.text, "", thing) is Saying.DEFINES is not saying(place.said, "", thing):
        return 0.0  # words of a place that only mentions a thing make no definition of it, in whatever order
    around = f"{place.passage.title} {place.passage.heading} {place.said} {claim.text}"
    more = evidence.judge.standing(place.passage)
    own = evidence.judge.likelihood(claim.text, around, cosines.of_question(claim.text), more=more)
    repeated = [
        one.score
        for one in evidence.candidates
        if one.passage.chunk_id == place.passage.chunk_id
        and place.start <= one.unit.start
        and one.unit.end <= place.end
    ]
    return max(own, *repeated) if repeated and judge(place.said, claim.text, claim.text) is Support.CARRIES else own


def _state(said: _Said, grounding: Grounding) -> AnswerState:
    required = grounding is Grounding.REQUIRED
    enough = said.carried == said.sentences if required else said.carried >= ANSWERED_SHARE * said.sentences
    return AnswerState.ANSWERED if enough else AnswerState.PARTIAL


def _verdict(claim: Claim, cosines: Cosines) -> tuple[Support, Place | None]:
    """What the places say: the first that carries it, else whether one contradicts it."""
    verdict = Support.SILENT
    for place in claim.places:
        titles = f"{place.passage.title} {place.passage.heading}"
        around = f"{titles} {place.passage.text}"
        told = judge(claim.text, place.said, around, cosines.of(claim.text, place.said), titles)
        if told is Support.CARRIES:
            return told, place
        if told is Support.CONTRADICTS:
            verdict = told
    return verdict, None


def _places(passage: Passage) -> list[Place]:
    """Each unit, which speaks of the matter and not to the model, and each with the one behind it; a row is whole."""
    found = units(passage.text, passage.heading)
    singles = [Place(passage, one.start, one.end, one.said) for one in found]
    pairs = [
        Place(passage, one.start, two.end, f"{one.said} {two.said}")
        for one, two in pairwise(found)
        if two.start - one.end < NEAR
        and not is_row(passage.text[one.start :])
        and not is_row(passage.text[two.start :])
    ]
    return singles + pairs


def _quoted(own: Sequence[Extract], state: AnswerState) -> Grounded:
    """The documents' own words."""
    cited: list[Citation] = []
    parts = []
    for extract in own:
        citation = _cite(cited, extract.passage, (extract.start, extract.end))
        parts.append(f"{extract.said} [{citation.number}]")
    return state, "\n".join(parts), cited


def _cite(cited: list[Citation], passage: Passage, span: tuple[int, int]) -> Citation:
    """The citation of a span, made once."""
    start, end = passage.start + span[0], passage.start + span[1]
    for known in cited:
        if (known.document_id, known.start, known.end) == (passage.document_id, start, end):
            return known
    quote = passage.text[span[0] : span[1]]
    citation = Citation(
        len(cited) + 1, passage.document_id, passage.chunk_id, passage.title, passage.page, start, end, quote
    )
    cited.append(citation)
    return citation
