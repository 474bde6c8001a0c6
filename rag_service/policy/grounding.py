"""What of a model's answer stands in the documents: each sentence is cited, left out, or marked by the answer's state.

A citation is made here, never believed: its quote is cut out of the passage. What no place carries is left out where
grounding is required; what a place contradicts is left out always. The state follows from that, not from a mood.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag_service.domain.answers import AnswerState, Citation, Grounding
from rag_service.domain.search import Passage
from rag_service.policy.chunking import sentences
from rag_service.policy.quoting import orders
from rag_service.policy.support import Support, best, judge
from rag_service.policy.terms import terms

ANSWERED_SHARE = 0.6
"""Of an answer's sentences, where those that nothing carries are let stand."""
PLACES = 3
"""Places that are looked at for one sentence: those that share most words."""
MOST_SENTENCES = 24
"""Of an answer that are judged by vectors, too."""
ABSTENTION = "The documents say nothing about this."
_MARK = re.compile(r"\s*\[(\d{1,3})\]")
_QUOTATION = re.compile(r"</? ?passage[^>\n]*>?")


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of a passage, or two that follow each other."""

    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        """Its words."""
        return self.passage.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, what stands before it, and the places that may carry it, best first."""

    text: str
    between: str
    places: tuple[Place, ...]


def claims(answer: str, passages: Sequence[Passage]) -> list[Claim]:
    """The sentences of an answer, without the marks and repetitions of small models."""
    answer = _QUOTATION.sub("", answer)
    places = [place for passage in passages for place in _places(passage)]
    texts = [place.text for place in places]
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
        found.append(Claim(sentence, between, near))
    return found


def alike(found: Sequence[Claim]) -> list[str]:
    """The texts whose vectors the judge wants to see."""
    judged = [claim for claim in found if claim.places][:MOST_SENTENCES]
    texts = (text for claim in judged for text in (claim.text, *(place.text for place in claim.places)))
    return list(dict.fromkeys(texts))


def ground(
    found: Sequence[Claim], passages: Sequence[Passage], grounding: Grounding, cosines: "Cosines"
) -> tuple[AnswerState, str, list[Citation]]:
    """The state, the words with their marks, the citations."""
    if not passages and grounding is Grounding.REQUIRED:
        return AnswerState.ABSTAINED, ABSTENTION, []
    built: list[str] = []
    cited: list[Citation] = []
    said = carried = 0
    for claim in found:
        if not terms(claim.text):
            built.append(claim.between + claim.text)
            continue
        said += 1
        verdict, place = _verdict(claim, cosines)
        if place is not None:
            carried += 1
            citation = _cite(cited, place.passage, (place.start, place.end))
            built.append(f"{claim.between}{claim.text} [{citation.number}]")
        elif verdict is not Support.CONTRADICTS and grounding is Grounding.PREFERRED:
            built.append(claim.between + claim.text)
    content = "".join(built).strip()
    if carried:
        enough = carried == said if grounding is Grounding.REQUIRED else carried >= ANSWERED_SHARE * said
        return AnswerState.ANSWERED if enough else AnswerState.PARTIAL, content, cited
    if grounding is Grounding.PREFERRED and terms(content):
        return AnswerState.UNGROUNDED, content, []
    return _extract(passages)


class Cosines:
    """Likeness of texts, by the vectors of those that were embedded."""

    def __init__(self, vectors: dict[str, Sequence[float]]) -> None:
        self._vectors = vectors

    def of(self, one: str, other: str) -> float | None:
        """None where nobody asked."""
        first, second = self._vectors.get(one), self._vectors.get(other)
        if first is None or second is None:
            return None
        return sum(a * b for a, b in zip(first, second, strict=True))


def _verdict(claim: Claim, cosines: Cosines) -> tuple[Support, Place | None]:
    """What the places say: the first that carries it, else whether one contradicts it."""
    verdict = Support.SILENT
    for place in claim.places:
        around = f"{place.passage.title} {place.passage.text}"
        told = judge(claim.text, place.text, around, cosines.of(claim.text, place.text))
        if told is Support.CARRIES:
            return told, place
        if told is Support.CONTRADICTS:
            verdict = told
    return verdict, None


def _places(passage: Passage) -> list[Place]:
    """Each sentence that speaks of the matter and not to the model, and each with the one behind it."""
    spans = [span for span in sentences(passage.text) if not orders(passage.text[span[0] : span[1]])]
    singles = [Place(passage, start, end) for start, end in spans]
    pairs = [Place(passage, one[0], two[1]) for one, two in pairwise(spans) if two[0] - one[1] < 3]
    return singles + pairs


def _extract(passages: Sequence[Passage]) -> tuple[AnswerState, str, list[Citation]]:
    """The documents' own words, where the model's had nothing to stand on."""
    cited: list[Citation] = []
    parts = []
    for passage in passages[:2]:
        spans = [span for span in sentences(passage.text) if not orders(passage.text[span[0] : span[1]])][:3]
        spans = [span for place, span in enumerate(spans) if place == 0 or span[0] - spans[place - 1][1] < 3]
        if spans:
            citation = _cite(cited, passage, (spans[0][0], spans[-1][1]))
            parts.append(f"{citation.quote} [{citation.number}]")
    if not parts:
        return AnswerState.ABSTAINED, ABSTENTION, []
    return AnswerState.PARTIAL, "\n".join(parts), cited


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
