"""Questions that ask what a thing is, and how far words say it.

"What is the relay?" is not answered by whatever has the relay in it. A sentence that defines says so by its form ("a
lease is ...", "... is called a lease", "Lease: ...", a row that begins with it); one that begins with the thing, or
stands under a heading that is just it, at least speaks of it. Of English; in other languages nothing is taken for such
a question.
"""

import re
from collections.abc import Sequence
from enum import Enum

from rag_service.policy.stemming import stem
from rag_service.policy.terms import terms
from rag_service.policy.words import COUNTS

_ASKS = re.compile(
    r"^\W*(?:(?:so|and|but),? )?(?:what (?:is|are|was|were)|what's|define|explain what) (?:an? |the )?"
    r"((?:[\w'’-]+ ){0,2}[\w'’-]+?)(?: is| are)?\W*$",  # noqa: RUF001  # both apostrophes stand in texts
    re.IGNORECASE,
)
_NO_THING = re.compile(
    r"\b(?:called|named|made|used|worth|like|for|of|about|in|on|to|from|at|with|there)\W*$", re.IGNORECASE
)
"""Ends a question for a name, a matter, a place."""
_PIECE = re.compile(r"[\w'’-]+|[^\w\s]")  # noqa: RUF001  # likewise
_WORD = re.compile(r"[^\W\d_]{2,}")
DETERMINERS = re.compile(r"an?|the|each|every|any|this|our|your|one|[(*\"'“]")
COPULA = re.compile(r"is|are|was|were|means?|denotes?|refers?|stands?")
NAMING = re.compile(r"called|named|termed|calls?")
LABELLING = re.compile(r"[:;—–.]")  # noqa: RUF001  # a dash
NO_VERB = re.compile(r"of|in|on|at|for|from|to|and|or|with|by|as|that|than|per|\d.*|" + "|".join(COUNTS))
MADE_OF_WORDS = 3
"""What stands behind a name and a colon says what it is if it has so many words: figures do not."""


class Saying(Enum):
    """How far words say what a thing is."""

    DEFINES = "defines"
    SPEAKS_OF = "speaks of"
    MENTIONS = "mentions"


def sought(question: str) -> tuple[str, ...]:
    """The terms of the thing that a question asks what it is; none of other questions."""
    found = _ASKS.match(question)
    if not found or _NO_THING.search(question):
        return ()
    return tuple(terms(found[1]))


def saying(said: str, heading: str, thing: Sequence[str]) -> Saying:
    """How far a sentence or a row, under that heading, says what the thing is."""
    pieces = _PIECE.findall(said.lower())
    stems = [stem(piece) for piece in pieces]
    size = len(thing)
    found = Saying.SPEAKS_OF if terms(heading) == list(thing) else Saying.MENTIONS
    for start in (at for at in range(len(stems) - size + 1) if stems[at : at + size] == list(thing)):
        before, after = pieces[:start], [*pieces[start + size :], "", ""]
        if _is_predicate(before) or (_is_first(before, after) and _says_what(after)):
            return Saying.DEFINES
        if _is_first(before, after) and after[0].isalpha() and not NO_VERB.fullmatch(after[0]):
            found = Saying.SPEAKS_OF
    return found


def _is_first(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether the thing begins the sentence, or is the first cell of a row ("state: abstained; means: ...")."""
    return all(map(DETERMINERS.fullmatch, before)) or (before[-1] == ":" and ";" not in before and after[0] == ";")


def _is_predicate(before: Sequence[str]) -> bool:
    """As in: is a lease; is called a lease; we call it a lease."""
    words = [piece for piece in before[-4:] if piece not in ("*", '"', "“", "it", "them", "this")]
    article = bool(words) and words[-1] in ("a", "an")
    verb = words[-2:-1] if article else words[-1:]
    return bool(verb) and bool(NAMING.fullmatch(verb[0]) or (article and COPULA.fullmatch(verb[0])))


def _says_what(after: Sequence[str]) -> bool:
    """What is behind the thing: a copula, an apposition, or a label's words."""
    if COPULA.fullmatch(after[0]):
        return True
    if after[0] == ",":
        return after[1] in ("a", "an", "the", "which")
    told = _told(after)
    words = [piece for piece in told if _WORD.fullmatch(piece)]
    return bool(LABELLING.fullmatch(after[0])) and not told[0][:1].isdigit() and len(words) >= MADE_OF_WORDS


def _told(after: Sequence[str]) -> list[str]:
    """Without the names of columns: what is before a colon in a row."""
    if after[0] != ";":
        return list(after[1:])
    cells = " ".join(after[1:]).split(";")
    return [word for cell in cells for word in cell.rpartition(":")[2].split()] or [""]
