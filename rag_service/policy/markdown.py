"""What Markdown marks: blocks of code, headings, items of lists, rows of tables. Plain texts have none."""

import re
from collections.abc import Iterator

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
ITEM = re.compile(r"(?:[-*+>]|\d{1,3}[.)])\s+")
_FENCE = re.compile(r"^[^\S\n]*(```|~~~)[^\S\n]*(\S*)[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*\|?")
_MARKED = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_BETWEEN = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\]\n]+)\]\([^)\s]+\)")


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each block of code with its fences. One that is not closed is none."""
    opening: re.Match[str] | None = None
    for mark in _FENCE.finditer(text):
        if opening is None or mark[2] or mark[1] != opening[1]:
            # What names a language opens; so what came before was cut off.
            opening = mark if opening is None or mark[1] == opening[1] else opening
        else:
            yield opening.start(), mark.end()
            opening = None


def is_rule(line: str) -> bool:
    """Whether a line divides a table's header from its rows."""
    return "|" in line and bool(_RULE.fullmatch(line.strip()))


def is_row(line: str) -> bool:
    """Whether a line is a row of a table."""
    return line.startswith("|")


def cells(row: str) -> list[str]:
    """The words of a row's cells."""
    inner = row.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [plain_words(cell.strip().replace("\\|", "|")) for cell in _BETWEEN.split(inner)]


def plain_words(text: str) -> str:
    """Without the marks of emphasis, code and links."""
    return _LINK.sub(r"\1", _MARKED.sub(r"\2", text))
