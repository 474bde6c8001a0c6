"""Plain texts in any encoding, part by part: as UTF-8, with the line ends of everywhere, tables as tables."""

import codecs
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from rag_service.adapters import tables
from rag_service.domain.documents import Heading, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.formats import HEAD_BYTES, Format, wide

PART_BYTES = 1 << 20
HEADING_CHARACTERS = 200
SAMPLE_BYTES = 64 * 1024
"""By which an encoding is recognised."""
ESCAPES = (b"\x1b$", b"\x1b(")
"""In such a text every byte is ASCII, and it is not."""
MOST_UNREADABLE = 0.01
WINDOWS = {
    "iso8859-1": "cp1252", "iso8859-15": "cp1252", "iso8859-2": "cp1250", "iso8859-7": "cp1253", "iso8859-8": "cp1255",
    "iso8859-9": "cp1254", "iso8859-13": "cp1257",
}  # fmt: skip
"""What Windows writes where ISO has control characters."""
CONTROLS = re.compile("[\x80-\x9f]")
UNRECOGNISED = "It is not text, or in an encoding that is not recognised. Save it as UTF-8, or say the charset."


def decoded(original: Path, target: Path, found: Format, most_bytes: int) -> Text:
    """Unicode where it is that, else what the client says, else what it looks like."""
    with original.open("rb") as file:
        head = file.read(HEAD_BYTES)
    unicode = wide(head) or "utf-8-sig"
    for encoding in (unicode, found.charset):
        if not _decodes(encoding) or (encoding == "utf-8-sig" and any(one in head for one in ESCAPES)):
            continue
        with contextlib.suppress(UnicodeDecodeError):
            characters, _ = _written(original, target, encoding, "strict", most_bytes)
            break
    else:
        characters, unreadable = _written(original, target, _recognised(original), "replace", most_bytes)
        if unreadable > MOST_UNREADABLE * characters:
            raise ExtractionFailed(UNRECOGNISED)
    return _as_table(target, characters) if found.table else Text(target, characters)


def _written(original: Path, target: Path, encoding: str, errors: str, most_bytes: int) -> tuple[int, int]:
    """Characters, and how many could not be read. PostgreSQL's texts cannot hold NUL, and no reader misses it;
    lines end as everywhere else.
    """
    characters = written = unreadable = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for part in _lines_mended(_parts(original, encoding, errors)):
            characters += file.write(part)
            written += len(part.encode()) if not part.isascii() else len(part)
            unreadable += part.count("\ufffd") if errors == "replace" else 0
            if written > most_bytes:
                why = f"Its text has more than {most_bytes} bytes: upload it in several parts."
                raise ExtractionFailed(why)
    return characters, unreadable


def _parts(original: Path, encoding: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with original.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield decoder.decode(part)
    yield decoder.decode(b"", final=True)


def _decodes(encoding: str) -> bool:
    """Whether it is the name of an encoding of texts."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        return False
    return bool(encoding)


def _recognised(original: Path) -> str:
    """The encoding that a text seems to have, by what is in it from the first byte on that is not ASCII."""
    import chardet  # half a second, which most workers never need

    with original.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
        while sample.isascii() and (more := file.read(SAMPLE_BYTES)):
            sample = more
        sample += file.read(SAMPLE_BYTES)
    # Much that is ASCII anyway would outweigh the little that tells.
    telling = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())
    first = next((place for place, byte in enumerate(telling) if byte > 127), 0)
    encoding = str(chardet.detect(telling[first:] or sample)["encoding"] or "").lower().replace("_", "-")
    if not _decodes(encoding):
        raise ExtractionFailed(UNRECOGNISED)
    text = sample.decode(encoding, "replace")
    return WINDOWS.get(encoding.replace("iso-", "iso"), encoding) if CONTROLS.search(text) else encoding


def _lines_mended(parts: Iterator[str]) -> Iterator[str]:
    kept = ""
    for part in parts:
        text = kept + part
        # A line's end may be cut in two.
        kept = "\r" if text.endswith("\r") else ""
        yield text[: len(text) - len(kept)].replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    yield kept.replace("\r", "\n")


def _as_table(target: Path, characters: int) -> Text:
    """Rows of a table, else lines that stand under the first one, which may name columns that nothing divides."""
    table = target.with_name("table")
    made = tables.as_markdown(target, table)
    if made is not None:
        table.replace(target)
        return Text(target, made)
    with target.open(encoding="utf-8", newline="\n") as file:
        first = file.readline(HEADING_CHARACTERS).strip()
    return Text(target, characters, headings=(Heading(0, first, 1),) if first else ())
