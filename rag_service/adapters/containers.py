"""Files that hold files: mails with what is attached, archives. The text of each part stands under its name.

A part that cannot be read says why in its place, and the others are read.
"""

import email
import email.policy
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

MAX_ENTRIES = 10_000
MAX_RATIO = 200
RATIO_COUNTS_FROM = 16 * 1024 * 1024
MAX_NESTING = 3
ARCHIVES = (".zip", ".docx", ".xlsx", ".pptx", ".epub", ".jar", ".odt")
ENCRYPTED = "it is encrypted. Upload it without a password."
HEAD = ("Subject", "From", "To", "Cc", "Date")
BOOKKEEPING = ("__MACOSX/", ".DS_Store", "Thumbs.db")

Read = Callable[[str, str, bytes], str]
"""(name, media type, content) -> text. Refused where there is none."""


class Refused(Exception):  # a finding about the file
    """Why nothing is taken out of it."""


def mail(content: bytes, read: Read) -> str:
    """What was written, under who wrote what to whom; then what is attached."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    head = [f"{name}: {_line(message[name])}" for name in HEAD if message[name]]
    attached = [(_name(part, number), part) for number, part in enumerate(message.iter_attachments(), 1)]
    if attached:
        head.append(f"Attachments: {', '.join(name for name, _ in attached)}")
    body = message.get_body(("plain", "html"))
    if body is not None and body.get_content_subtype() == "plain" and not _text(body).strip():
        body = message.get_body(("html",)) or body
    written = "" if body is None else _text(body)
    if body is not None and body.get_content_subtype() == "html":
        written, _ = _read(read, "body.html", "text/html", written.encode)
    return "\n\n".join(filter(None, [*head, written.strip(), *(_part(read, *one) for one in attached)]))


def archive(path: Any, read: Read) -> str:
    """What is in a ZIP archive. Refused where nothing of it can be read."""
    texts, failed = [], []
    with zipfile.ZipFile(path) as opened:
        for entry in opened.infolist():
            if entry.is_dir() or _bookkeeping(entry.filename):
                continue
            text, why = _read(read, entry.filename, "", partial(opened.read, entry))
            texts.append(f"# {entry.filename}\n\n{text or f'(not read: {why})'}")
            failed += [why] if why else []
    if failed and len(failed) == len(texts):
        raise Refused(f"nothing in it can be read: {failed[0][:1].lower()}{failed[0][1:]}")
    return "\n\n".join(texts)


def check_archive(path: Any, most_bytes: int, depth: int = 1) -> None:
    """Refuses what is made to hurt, before anything is unpacked: by what the archive says of itself."""
    try:
        with zipfile.ZipFile(path) as opened:
            entries = opened.infolist()
            packed, unpacked = sum(one.compress_size for one in entries), sum(one.file_size for one in entries)
            if len(entries) > MAX_ENTRIES:
                raise Refused(f"it has more than {MAX_ENTRIES} files in it.")
            if any(one.flag_bits & 1 for one in entries):
                raise Refused(ENCRYPTED)
            if any(".." in one.filename.split("/") or one.filename.startswith(("/", "\\")) for one in entries):
                raise Refused("names in it point outside of it.")
            if unpacked > most_bytes or (unpacked > RATIO_COUNTS_FROM and unpacked > MAX_RATIO * max(packed, 1)):
                raise Refused(f"it would unpack to {unpacked} bytes: a ZIP bomb, or too large.")
            for one in entries:
                if one.filename.lower().endswith(ARCHIVES):
                    if depth >= MAX_NESTING:
                        raise Refused(f"archives are nested more than {MAX_NESTING} deep in it.")
                    with opened.open(one) as inner:
                        check_archive(inner, most_bytes - unpacked, depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        if depth == 1:
            raise Refused("it is a damaged ZIP archive.") from None


def _part(read: Read, name: str, part: Any) -> str:
    """What is attached; of pictures and sounds only the name, which stands in the head."""
    if part.get_content_maintype() in ("image", "audio", "video"):
        return ""
    charset = part.get_content_charset()
    declared = part.get_content_type() + (f"; charset={charset}" if charset else "")
    text, why = _read(read, name, declared, lambda: _content(part))
    return f"# {name}\n\n{text or f'(not read: {why})'}"


def _content(part: Any) -> bytes:
    if part.get_content_type() == "message/rfc822":
        return bytes(part.get_payload(0).as_bytes())
    return part.get_payload(decode=True) or b""


def _read(read: Read, name: str, declared: str, content: Callable[[], bytes]) -> tuple[str, str]:
    """The text of a part, or why there is none."""
    try:
        return read(name, declared, content()).strip(), ""
    except (MemoryError, OSError):
        raise  # of the whole: a limit is reached
    except Exception as error:  # noqa: BLE001  # whatever a parser raises is a finding about the part
        return "", str(error) or type(error).__name__


def _text(part: Any) -> str:
    try:
        return str(part.get_content())
    except LookupError:  # a charset that nobody knows
        return bytes(part.get_payload(decode=True)).decode("latin-1")


def _name(part: Any, number: int) -> str:
    named = part.get_filename()
    if not named and part.get_content_type() == "message/rfc822":
        named = f"{part.get_payload(0).get('subject', f'message {number}')}.eml"
    return _line(named or f"attachment {number}")


def _line(text: object) -> str:
    return " ".join(str(text).split())


def _bookkeeping(name: str) -> bool:
    return name.startswith(BOOKKEEPING[0]) or name.rpartition("/")[2] in BOOKKEEPING[1:]
