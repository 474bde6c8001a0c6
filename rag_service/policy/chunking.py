"""Text into chunks: whole sentences up to a size, some overlap, never across a heading. Offsets are code points."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import NAMESPACE_OID, uuid5

from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import Text
from rag_service.policy.terms import terms

TARGET_WEIGHT = 400
"""Tokens, as estimated by `weight`, that a chunk has at most: with its title it fits into 512, the window of the
default model. Measured on abstracts (`make eval`): 220 gives nDCG@10 0.43, 300 gives 0.44, 420 gives 0.46.
"""
OVERLAP_WEIGHT = 40
_PIECE = re.compile(
    r"(?:(?<!\S)\d{1,3}\.(?=\s)"  # the number of a list's item ends no sentence
    r"|[^.!?\n]|[.!?]+(?=[^\s.!?])"  # nor does a point inside a word, as in chunking.py
    r"|\n(?!\s*(?:\n|[-*#|>+]|\d{1,3}\.\s|$)))+"  # nor a wrapped line
    r"[.!?]*\s*|[.!?]+\s*|\s+"
)
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*$")
MAX_PIECE_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    heading: str


def weight(text: str) -> int:
    """Roughly how many tokens a text has: four ASCII characters, or one other, are one."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return ascii_count // 4 + (len(text) - ascii_count) + 1


def chunk(document_id: str, version: int, title: str, text: Text) -> list[Chunk]:
    """The chunks of a document, each to be found by the title's words, too.

    Their ids follow from document, version and place: doing it again gives the same.
    """
    chunks = []
    for ordinal, span in enumerate(_grouped(text.content)):
        content = text.content[span.start : span.end]
        chunks.append(
            Chunk(
                id=str(uuid5(NAMESPACE_OID, f"{document_id}/{version}/{ordinal}")),
                ordinal=ordinal,
                text=content,
                start=span.start,
                end=span.end,
                page=bisect_right(text.page_starts, span.start),
                heading=span.heading,
                terms=Counter(terms(f"{title} {span.heading} {content}")),
            )
        )
    return chunks


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence or line, without the white space around it."""
    for match in _PIECE.finditer(text):
        start, end = match.span()
        while start < end:
            stop = min(end, start + MAX_PIECE_CHARACTERS)
            if stop < end and (space := text.rfind(" ", start, stop)) > start:
                stop = space
            piece = text[start:stop]
            if piece.strip():
                yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
            start = stop


def _grouped(text: str) -> Iterator[_Span]:
    group: list[tuple[int, int]] = []
    heading = ""
    for start, end in sentences(text):
        found = _HEADING.match(text[start:end])
        if found:
            if group:
                yield _Span(group[0][0], group[-1][1], heading)
                group = []
            heading = found[1][:200]
        elif group and weight(text[group[0][0] : end]) > TARGET_WEIGHT:
            yield _Span(group[0][0], group[-1][1], heading)
            group = _overlap(text, group)
        group.append((start, end))
    if group:
        yield _Span(group[0][0], group[-1][1], heading)


def _overlap(text: str, group: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The last sentences of a chunk, which the next one repeats."""
    kept: list[tuple[int, int]] = []
    for start, end in reversed(group[1:]):
        if weight(text[start : group[-1][1]]) > OVERLAP_WEIGHT:
            break
        kept.insert(0, (start, end))
    return kept
