"""What a file is: by its name, by what the client says, and by its first bytes, which decide."""

import mimetypes
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePath

from rag_service.domain.errors import ExtractionFailed, UnsupportedFile

HEAD_BYTES = 4096
BINARY = "binary data"
OFFICE = "application/vnd.openxmlformats-officedocument"
PLAIN_SUFFIXES = frozenset((
    ".txt", ".text", ".md", ".markdown", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".log", ".toml", ".yaml", ".yml",
    ".srt", ".vtt", ".py", ".sql", ".ini",
))  # fmt: skip
PLAIN_TYPES = frozenset((
    "text/plain", "text/markdown", "text/x-markdown", "text/x-rst", "application/json", "text/csv",
    "text/tab-separated-values",
))  # fmt: skip
TABLES = frozenset((".csv", ".tsv"))
TABLE_TYPES = frozenset(("text/csv", "text/tab-separated-values"))
KNOWN = {
    ".pdf": ("application/pdf", "a PDF"),
    ".docx": (f"{OFFICE}.wordprocessingml.document", "a ZIP archive"),
    ".pptx": (f"{OFFICE}.presentationml.presentation", "a ZIP archive"),
    ".xlsx": (f"{OFFICE}.spreadsheetml.sheet", "a ZIP archive"),
    ".odt": ("application/vnd.oasis.opendocument.text", "a ZIP archive"),
    ".epub": ("application/epub+zip", "a ZIP archive"),
    ".zip": ("application/zip", "a ZIP archive"),
    ".html": ("text/html", "text"),
    ".htm": ("text/html", "text"),
    ".eml": ("message/rfc822", "text"),
    ".rtf": ("application/rtf", "text"),
    ".ipynb": ("application/x-ipynb+json", "text"),
}
"""Suffix -> media type, and what such a file is by its first bytes."""
MAGIC = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE file (an old or an encrypted Office document)"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3\0", "a database"),
)
UNREAD = {
    "image": "It is an image: there is no text recognition here. Make a PDF with a text layer of it.",
    "audio": "It is a recording: have it transcribed (POST /v1/audio/transcriptions), and upload what was said.",
    "video": "It is a film: have its sound transcribed (POST /v1/audio/transcriptions), and upload what was said.",
}
"""By the first half of a media type."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is read: as it is (plain), or by the extraction library under a media type."""

    plain: bool
    media_type: str = ""
    table: bool = False
    """The first line names columns."""
    charset: str = ""
    """Of a plain text, as the client says."""


def format_of(file_name: str, declared: str, head: bytes) -> Format:
    """`head`: the first bytes. ExtractionFailed if the name says one thing and the bytes another. What is text, and of
    no kind that is read in a way of its own, is read as it is, whatever its name.
    """
    suffix = PurePath(file_name).suffix.lower()
    declared, charset = _parted(declared)
    found = content_of(head)
    table = suffix in TABLES or (not suffix and declared in TABLE_TYPES)
    if suffix in PLAIN_SUFFIXES or (not suffix and (declared in PLAIN_TYPES or not declared)):
        _agree(suffix or "text", "text", found)
        return Format(plain=True, table=table, charset=charset)
    if suffix in KNOWN:
        media_type, expected = KNOWN[suffix]
        _agree(suffix, expected, found)
        return Format(plain=False, media_type=media_type)
    guessed = mimetypes.guess_type(file_name)[0] if suffix else None
    if guessed is None and declared != "application/octet-stream":
        guessed = declared
    for media_type, expected in KNOWN.values():
        if guessed == media_type:
            _agree(media_type, expected, found)
            return Format(plain=False, media_type=media_type)
    if found == "text":
        return Format(plain=True, charset=charset)
    if found == "a PDF":
        return Format(plain=False, media_type="application/pdf")
    if unread := UNREAD.get((guessed or "").split("/")[0]):
        raise UnsupportedFile(unread)
    return Format(plain=False, media_type=guessed or "")


def _parted(declared: str) -> tuple[str, str]:
    """The media type, and its charset."""
    message = Message()
    message["content-type"] = declared
    return message.get_content_type() if declared else "", message.get_content_charset("")


def content_of(head: bytes) -> str:
    """What a file is by its first bytes."""
    if b"%PDF-" in head[:1024]:
        return "a PDF"
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    return "text" if wide(head) or b"\0" not in head else BINARY


def wide(head: bytes) -> str:
    """The encoding of a text whose characters have two bytes each, or nothing. Without a mark it is known by its zeros,
    which every second byte of a text in most languages is.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    first, second = head[0::2].count(0), head[1::2].count(0)
    if min(first, second) > 0 or 4 * max(first, second) <= len(head) // 2:
        return ""
    encoding = "utf-16-be" if first else "utf-16-le"
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    return "" if any(sign < " " and not sign.isspace() for sign in text) else encoding


def _agree(named: str, expected: str, found: str) -> None:
    if found == BINARY and expected == "text":
        raise ExtractionFailed(
            f"It is named {named}, but it is not text: there are zero bytes in it. Save it as UTF-8."
        )
    if found != expected:
        raise ExtractionFailed(f"It is named {named}, but its content is {found}, and not {expected}.")
