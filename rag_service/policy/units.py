"""What of a passage can be said by itself: whole sentences, items of lists, rows of tables under their header, blocks
of code. Nothing torn: what a passage begins or ends with in the middle of a sentence is no unit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag_service.policy.chunking import CLOSING, ENDS, MAX_PIECE_CHARACTERS, sentences
from rag_service.policy.markdown import HEADING, ITEM, blocks, cells, is_row, is_rule, plain_words
from rag_service.policy.quoting import orders

_POINTING = re.compile(
    r"(?:it|its|they|them|their|this|that|these|those|he|she|his|her|then|there|so|otherwise|else|both|such|here|above|below)\b",
    re.IGNORECASE,
)
_ENDED = re.compile(rf"[.!?:;…{ENDS}\uff1a\uff1b][\"'”’)\]*_`{CLOSING}]*$")  # noqa: RUF001  # quotation marks stand in texts
LONG_LINE = 300
"""A line without a full stop is a line (a title, an item); so long a one is a sentence whose end is elsewhere."""
NEAR = 3
"""Characters between sentences that follow each other."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A span of a passage's text. `said` is how one would read it out: a row with the names of its columns, without
    markup. `about` is the heading above and, where the unit points back ("It ..."), what stands before it; `explained`
    is the sentence behind a block of code.
    """

    start: int
    end: int
    said: str
    about: str = ""
    points_back: bool = False
    item: bool = False
    code: bool = False
    explained: str = ""


@dataclass(slots=True)
class _Reading:
    """Where one is in a passage."""

    heading: str = ""
    header: Sequence[str] = ()
    before: str = ""


def units(text: str, heading: str = "") -> list[Unit]:
    """In the order of the passage. Where it begins with the heading that it stands under, as plain texts of pages do,
    that is not read as the beginning of its first sentence.
    """
    found: list[Unit] = []
    title = heading.rpartition(" > ")[2].split()
    begun = re.match(r"\s+".join(map(re.escape, title)) + r"[^\S\n]*\n", text) if title else None
    reading = _Reading(heading=" ".join(title) if begun else "")
    for start, end, code in _pieces(text, begun.end() if begun else 0):
        if code:
            inner = "\n".join(text[start:end].split("\n")[1:-1]).strip()
            if inner:
                about = _joined(reading.heading, reading.before)
                found.append(Unit(start, end, inner, about, points_back=bool(reading.before), code=True))
            reading.before, reading.header = "", ()
            continue
        unit = _unit(text, start, end, reading)
        if unit is not None:
            if found and found[-1].code and reading.before == unit.said and text[found[-1].end : start].isspace():
                found[-1] = replace(found[-1], explained=unit.said)
            found.append(unit)
    return found


def _unit(text: str, start: int, end: int, reading: _Reading) -> Unit | None:
    piece = text[start:end]
    if heading := HEADING.match(piece):
        reading.heading, reading.before, reading.header = plain_words(heading[2]), "", ()
        return None
    if orders(piece):
        return None
    if is_row(piece):
        return _row(text, start, end, reading)
    reading.header = ()
    if _torn(text, start, end):
        reading.before = ""
        return None
    item = ITEM.match(piece)
    said = " ".join(plain_words(piece[item.end() if item else 0 :]).split())
    points = bool(_POINTING.match(said)) and bool(reading.before)
    about = _joined(reading.heading, reading.before if points or item else "")
    # A list's items belong to the line above it: that stays.
    if not item:
        reading.before = said
    return Unit(start, end, said, about, points_back=points, item=bool(item))


def _row(text: str, start: int, end: int, reading: _Reading) -> Unit | None:
    piece = text[start:end]
    if is_rule(piece):
        return None
    held = cells(piece)
    following = text[end:].lstrip("\n").split("\n", 1)[0]
    if not reading.header and is_rule(following):
        reading.header = held
        return None
    named = [
        f"{name}: {cell}" if name else cell
        for name, cell in zip([*reading.header, *[""] * len(held)], held, strict=False)
        if cell
    ]
    return Unit(start, end, "; ".join(named), _joined(reading.heading, reading.before)) if named else None


def _pieces(text: str, position: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it is a block of code): blocks whole, sentences between them, those longer than a chunker's
    piece put together again.
    """
    for start, end in blocks(text):
        yield from _whole(text, position, start)
        yield start, end, True
        position = end
    yield from _whole(text, position, len(text))


def _whole(text: str, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
    held: tuple[int, int] | None = None
    for start, end in sentences(text[first:last]):
        span = (first + start, first + end)
        if held is not None:
            cut = not _ENDED.search(text[held[0] : held[1]]) and "\n" not in text[held[1] : span[0]]
            if cut and held[1] - held[0] > MAX_PIECE_CHARACTERS // 2:
                held = (held[0], span[1])
                continue
            yield *held, False
        held = span
    if held is not None:
        yield *held, False


def _torn(text: str, start: int, end: int) -> bool:
    """Whether it is the end of a sentence that began before the passage, or the beginning of one that goes on."""
    piece = text[start:end]
    if start == 0 and piece[0].islower():
        return True
    return end == len(text) and end - start > LONG_LINE and not _ENDED.search(piece)


def _joined(*parts: str) -> str:
    return "\n".join(filter(None, parts))
