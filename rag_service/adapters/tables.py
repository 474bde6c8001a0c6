"""Tables of text (CSV in its dialects, TSV) as Markdown: a row is a line, the first one names the columns.

So a row is read, cut and cited as one of a spreadsheet is. What is no table by any delimiter stays as it is.
"""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 50
ALIKE = 0.8
"""Of the first rows, the share that has as many cells as the header has, in a table."""


def as_markdown(original: Path, target: Path) -> int | None:
    """Writes the table; its characters, or None where it is none. The original is UTF-8."""
    with original.open(encoding="utf-8", newline="") as file:
        delimiter = _delimiter(file)
        if not delimiter:
            return None
        file.seek(0)
        try:
            with target.open("w", encoding="utf-8", newline="") as made:
                return sum(made.write(line) for line in _lines(csv.reader(file, delimiter=delimiter)))
        except csv.Error:  # a cell longer than any is: a quotation mark that nothing closes
            return None


def _delimiter(file: IO[str]) -> str:
    """The one by which most rows have as many cells as the first, and of these the one that makes most cells."""
    best, found = (ALIKE, 1), ""
    for delimiter in DELIMITERS:
        file.seek(0)
        try:
            rows = [row for row in islice(csv.reader(file, delimiter=delimiter), SAMPLE_ROWS) if row]
        except csv.Error:
            continue
        columns = len(rows[0]) if rows else 0
        alike = sum(len(row) == columns for row in rows) / max(len(rows), 1)
        if columns > 1 and (alike, columns) > best:
            best, found = (alike, columns), delimiter
    return found


def _lines(rows: Iterator[list[str]]) -> Iterator[str]:
    header = next(rows)
    yield _line(header)
    yield _line(["---"] * len(header))
    yield from (_line(row) for row in rows if any(cell.strip() for cell in row))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |\n"
