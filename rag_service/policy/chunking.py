"""Text into chunks: whole sentences up to a size, some overlap, never across a heading or from one page to the next, so
that the page of a chunk is that of all its words. Offsets are code points.

Works on a stream: nothing but the chunk that grows and a segment of text is in memory. Chunks end at a paragraph that
is chosen by its words where they can, so that an edit changes the chunks around it and not all that follow.
"""

import hashlib
import re
import zlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson

from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import Chunking, Heading
from rag_service.policy.markdown import HEADING, blocks, cells, is_row, is_rule
from rag_service.policy.terms import terms

_LINE_BEGINS = "|".join([r"\A", *(rf"(?<=\n{indent})" for indent in ("", " ", "  ", "   ", "    ", r"\t"))])
_ABBREVIATED = "|".join(
    rf"(?<=\b{word})"
    for word in (
        "e.g", "i.e", "cf", "vs", "approx", "Dr", "Mr", "Mrs", "Ms", "Prof", "St", "Fig", "fig", "No", "Nos", "Eq",
        "al", "pp", "ca", "z.B", "d.h", "bzw",
    )
)  # fmt: skip
ENDS = "\u3002\uff01\uff1f"
CLOSING = "\u300d\u300f\u201d\uff09"
"""What ends a sentence of Chinese or Japanese, without a space behind it; and what may close it there."""
_MONTHS = "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez Januar Februar März April Juni Juli August September Oktober"
_GOES_ON = rf"(?:[a-zäöüß]|(?:{_MONTHS.replace(' ', '|')}|November|Dezember)\b)"
"""What follows "15." in the middle of a sentence."""
_PIECE = re.compile(
    rf"(?:{_LINE_BEGINS})\|[^\n]*\|[^\S\n]*(?:\n\s*|\Z)|"  # a row of a table is one
    rf"(?:(?:{_LINE_BEGINS})\d{{1,3}}\.(?=\s)"  # the number of a list's item ends no sentence
    rf"|(?:{_ABBREVIATED})\.(?=[^\S\n])"  # nor does an abbreviation
    rf"|(?<=\b\d)\.(?=[^\S\n]{_GOES_ON})|(?<=\b\d\d)\.(?=[^\S\n]{_GOES_ON})"  # nor a day before its month
    rf"|[^.!?{ENDS}\s]++|[^\S\n]"  # words whole: character by character takes four times as long
    rf"|[.!?]+(?=[^\s.!?{ENDS}])"  # nor does a point inside a word, as in chunking.py
    r"|\n(?!\s*(?:\n|[-*#|>+]|\d{1,3}\.\s|$)))+"  # nor a wrapped line
    rf"(?:[{ENDS}]+[{CLOSING}]*|[.!?]*)\s*|[.!?{ENDS}]+\s*|\s+"
)
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
MAX_PIECE_CHARACTERS = 600
CHOSEN_PARAGRAPHS, CHOSEN_ROWS = 2, 8
"""Before one of so many a chunk may end that is half full."""
MAX_HEADING_CHARACTERS = 200
MAX_HEADER_CHARACTERS = 120
SEGMENT_CHARACTERS = 64 * 1024
PLACES = 16**4
"""Chunks are counted by how their digests begin, to tell equals apart: a table of all would grow with the text."""


@dataclass(frozen=True, slots=True)
class Source:
    """What of a document its chunks depend on, beside its text."""

    document_id: str
    title: str
    metadata: Mapping[str, Any]
    page_starts: Sequence[int] = ()
    headings: Sequence[Heading] = ()
    """Sections that the text itself does not show."""
    chunking: Chunking = field(default_factory=Chunking)


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    heading: str
    text: str


def weight(text: str) -> int:
    """Roughly how many tokens a text has: four ASCII characters, or one other, are one."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return ascii_count // 4 + (len(text) - ascii_count) + 1


def embedded_text(title: str, heading: str, text: str) -> str:
    """What a chunk's vector stands for: its text under the titles that it stands under."""
    return "\n".join(filter(None, (title, heading, text)))


def chunks(source: Source, segments: Iterable[str]) -> Iterator[Chunk]:
    """The chunks of a document, each to be found by the title's words, too. Doing it again gives the same ids."""
    about = hashlib.sha256(orjson.dumps(dict(source.metadata), option=orjson.OPT_SORT_KEYS)).hexdigest()
    seen = array("I", bytes(4 * PLACES))
    for ordinal, span in enumerate(_Grouping(source.headings, source.page_starts, source.chunking).spans(segments)):
        digest = hashlib.sha256(embedded_text(source.title, span.heading, span.text).encode()).hexdigest()
        slot = int(digest[:4], 16)
        place = seen[slot]
        seen[slot] += 1
        yield Chunk(
            id=str(uuid5(NAMESPACE_OID, f"{source.document_id}/{digest}/{about}/{place}")),
            ordinal=ordinal,
            text=span.text,
            start=span.start,
            end=span.end,
            page=bisect_right(source.page_starts, span.start),
            heading=span.heading,
            digest=digest,
            terms=Counter(terms(f"{source.title} {span.heading} {span.text}")),
        )


def segments(read: Callable[[int], str]) -> Iterator[str]:
    """A text in pieces, cut where no sentence is: behind a blank line, if there is one; where, depends on it alone."""
    rest = read(2 * SEGMENT_CHARACTERS)
    while len(rest) > SEGMENT_CHARACTERS:
        cut = _cut(rest)
        yield rest[:cut]
        rest = rest[cut:]
        rest += read(2 * SEGMENT_CHARACTERS - len(rest))
    if rest:
        yield rest


def _cut(text: str) -> int:
    for sought in ("\n\n", "\n", " "):
        found = text.rfind(sought, 0, SEGMENT_CHARACTERS)
        if found > 0:
            end = found + len(sought)
            while end < len(text) and text[end].isspace():
                end += 1
            return end
    return SEGMENT_CHARACTERS


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


def pieces(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Sentences and lines; a block of code is one piece, or its lines are, where it has more than so many tokens."""
    position = 0
    for start, end in blocks(text):
        yield from ((position + first, position + last) for first, last in sentences(text[position:start]))
        if weight(text[start:end]) <= most:
            yield start, end
        else:
            yield from _lines(text, start, end)
        position = end
    yield from ((position + first, position + last) for first, last in sentences(text[position:]))


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        stop = min(stop, start + MAX_PIECE_CHARACTERS)
        if text[start:stop].strip():
            yield start, stop
        start = stop + (text[stop : stop + 1] == "\n")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the text; `header` names the columns where it is a row below the header of a table."""

    start: int
    end: int
    header: str = ""


@dataclass(slots=True)
class _Grouping:
    """Sentences into spans, section by section."""

    named: Sequence[Heading]
    page_starts: Sequence[int]
    chunking: Chunking
    passed: int = 0
    """So many of the named ones are behind."""
    path: list[tuple[int, str]] = field(default_factory=list)
    """The headings above, each with its level."""
    group: list[_Piece] = field(default_factory=list)
    header: str = ""
    """Of the table that one is in."""
    buffer: str = ""
    base: int = 0
    """Where the buffer starts in the text."""

    def spans(self, segments: Iterable[str]) -> Iterator[_Span]:
        for segment in segments:
            offset = self.base + len(self.buffer)
            self.buffer += segment
            for start, end in pieces(segment, self.chunking.tokens):
                yield from self._add(offset + start, offset + end)
            kept = self.group[0].start if self.group else offset + len(segment)
            self.buffer, self.base = self.buffer[kept - self.base :], kept
        yield from self._flush()

    def _add(self, start: int, end: int) -> Iterator[_Span]:
        text = self._text(start, end)
        if self._is_rule(text):
            # A header and its rule are one piece: no chunk ends between them.
            head = self.group.pop()
            self.header = ", ".join(filter(None, cells(self._text(head.start, head.end))))[:MAX_HEADER_CHARACTERS]
            self.group.append(_Piece(head.start, end))
            return
        # A row may be longer than a piece: then more of it follows on its line.
        goes_on = bool(self.group) and "\n" not in self._text(self.group[-1].end, start)
        self.header = self.header if is_row(text) or goes_on else ""
        if found := HEADING.match(text):
            yield from self._flush()
            self._enter(len(found[1]), found[2])
        elif self.passed < len(self.named) and self.named[self.passed].start < end:
            yield from self._flush()
            self._enter(self.named[self.passed].level, self.named[self.passed].title)
            self.passed += 1
        elif self.group and self._page(start) != self._page(self.group[0].start):
            yield from self._flush()
        elif self.group and weight(self._text(self.group[0].start, end)) > self.chunking.tokens:
            overlap = self._overlap()
            yield from self._flush()
            self.group = overlap
        elif self.group and self._ends_before(start, text):
            yield from self._flush()
        self.group.append(_Piece(start, end, self.header))

    def _page(self, position: int) -> int:
        return bisect_right(self.page_starts, position)

    def _is_rule(self, text: str) -> bool:
        if not self.group or not is_row(text) or not is_rule(text):
            return False
        return not self.header and is_row(self._text(self.group[-1].start, self.group[-1].end))

    def _flush(self) -> Iterator[_Span]:
        if self.group:
            first, end = self.group[0], self.group[-1].end
            path = [name for _, name in self.path] + ([first.header] if first.header else [])
            yield _Span(first.start, end, " > ".join(path)[-MAX_HEADING_CHARACTERS:], self._text(first.start, end))
            self.group = []

    def _enter(self, level: int, title: str) -> None:
        self.path = [*(item for item in self.path if item[0] < level), (level, title)]

    def _ends_before(self, start: int, text: str) -> bool:
        """Whether a chunk that is half full ends before this paragraph, or this row: of paragraphs every other one is
        chosen, of rows, which are many, some, by their words.
        """
        first, last = self.group[0].start, self.group[-1].end
        if self.header and is_row(text):
            chosen = CHOSEN_ROWS
        elif _BLANK_LINE.search(self._text(last, start)):
            chosen = CHOSEN_PARAGRAPHS
        else:
            return False
        if zlib.crc32(text.encode()) % chosen:
            return False
        return weight(self._text(first, last)) >= self.chunking.tokens // 2

    def _overlap(self) -> list[_Piece]:
        """The last sentences of a chunk, which the next one repeats."""
        kept: list[_Piece] = []
        for piece in reversed(self.group[1:]):
            if weight(self._text(piece.start, self.group[-1].end)) > self.chunking.overlap:
                break
            kept.insert(0, piece)
        return kept

    def _text(self, start: int, end: int) -> str:
        return self.buffer[start - self.base : end - self.base]
