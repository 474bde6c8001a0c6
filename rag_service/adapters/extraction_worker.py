"""Extracts the text of one file, alone in a process: `… extraction_worker FILE TYPE TARGET MEGABYTES TEXT_BYTES`.

Limits itself first: a hostile file fails alone. Writes the text to TARGET and tells {characters, page_starts, headings,
megabytes, seconds} or {error} as one JSON document on standard output.
"""

import json
import re
import sys
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag_service.adapters.containers import ENCRYPTED, MAX_NESTING, Refused, archive, check_archive, mail
from rag_service.adapters.decoding import decoded
from rag_service.adapters.sandbox import confine, refuse_calls
from rag_service.adapters.slides import notes
from rag_service.policy.formats import HEAD_BYTES, OFFICE, format_of

STRUCTURE_BYTES = 4 * 1024 * 1024
"""A larger PDF goes without its headings: finding them takes several times the memory."""
PDF, HTML, MAIL, ZIP = "application/pdf", "text/html", "message/rfc822", "application/zip"
SLIDES, SHEETS = f"{OFFICE}.presentationml.presentation", f"{OFFICE}.spreadsheetml.sheet"
PATH = re.compile(r"(?:/[\w.-]+){2,}")
MAX_SAID = 200
READ = "Save it as PDF, DOCX, PPTX, XLSX, ODT, EPUB, HTML, Markdown, CSV, EML, RTF or plain text."
FRONT_MATTER = re.compile(r"\A---\n.*?(?=^# |\n\n(?!#))", re.DOTALL | re.MULTILINE)
MIDNIGHT = re.compile(r"(?<=\d{4}-\d\d-\d\d) 00:00:00(?= \|)")
"""What the library adds to a cell with a date."""


def main() -> None:
    """Extracts, tells, ends."""
    path, media_type, target, megabytes, text_bytes = sys.argv[1:6]
    confine(int(megabytes), int(text_bytes))
    refuse_calls()
    began = time.monotonic()
    try:
        answer = extract(Path(path), media_type or None, Path(target), int(megabytes) * 1024 * 1024)
        answer["megabytes"] = peak_megabytes()
        answer["seconds"] = round(time.monotonic() - began, 2)
    except MemoryError:
        answer = {"error": "it needs more memory than allowed."}
    except OSError as error:
        answer = {"error": "its text is larger than allowed." if error.errno == 27 else f"{error.strerror}."}
    except Exception as error:  # noqa: BLE001  # whatever a parser raises is a finding about the file
        answer = {"error": _reason(error, media_type)}
    print(json.dumps(answer))  # noqa: T201  # the answer


def peak_megabytes() -> int:
    """Of this program alone: getrusage tells the peak of whoever started it, if that had more."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


def extract(path: Path, media_type: str | None, target: Path, memory: int) -> dict[str, Any]:
    """Writes the text; what is known about it."""
    starts: list[int] = []
    headings: list[tuple[int, str, int]] = []
    if media_type == PDF:
        result = _extracted(path, media_type)
        text, starts = _joined([_clean(page["content"]) for page in result.pages or []])
        headings = _headings(result.document, text, starts)
        del result  # room for what comes
    else:
        text = _text(path, media_type, _Parts(target.parent, memory))
    if not text.strip():
        scanned = "; is it scanned? There is no text recognition here" if media_type == PDF else ""
        raise Refused(f"there is no text in it{scanned}.")
    with target.open("w", encoding="utf-8", newline="") as file:
        for start in range(0, len(text), 1 << 20):
            file.write(text[start : start + (1 << 20)])
    return {"characters": len(text), "page_starts": starts, "headings": headings}


@dataclass(frozen=True, slots=True)
class _Parts:
    """Reads the parts of a mail or an archive, which may be such themselves."""

    directory: Path
    memory: int
    depth: int = 1

    def __call__(self, name: str, declared: str, content: bytes) -> str:
        found = format_of(name, declared, content[:HEAD_BYTES])
        # In one file, which each part overwrites: a text is read before the next one comes.
        file = self.directory / f"part{self.depth}"
        file.write_bytes(content)
        if found.plain:
            text = decoded(file, file.with_suffix(".text"), found, sys.maxsize).path.read_text(encoding="utf-8")
        elif self.depth > MAX_NESTING:
            raise Refused(f"it is nested more than {MAX_NESTING} deep.")
        else:
            try:
                text = _text(file, found.media_type, replace(self, depth=self.depth + 1))
            except (MemoryError, OSError):
                raise
            except Exception as error:  # noqa: BLE001  # whatever a parser raises is a finding about the part
                raise Refused(_reason(error, found.media_type)) from None
        if not text.strip():
            raise Refused("there is no text in it.")
        return text


def _text(path: Path, media_type: str | None, parts: _Parts) -> str:
    """The text of a file without pages."""
    if media_type == MAIL:
        return _clean(mail(path.read_bytes(), parts))
    if zipfile.is_zipfile(path):
        check_archive(path, parts.memory // 2)
        if media_type == ZIP:
            return _clean(archive(path, parts))
    text = _clean(_extracted(path, media_type).content)
    if media_type == HTML:
        return FRONT_MATTER.sub("", text).lstrip()
    if media_type == SHEETS:
        return MIDNIGHT.sub("", text)
    return text + notes(path) if media_type == SLIDES else text


def _extracted(path: Path, media_type: str | None) -> Any:
    from kreuzberg import ExtractionConfig, PageConfig, extract_file_sync

    pdf = media_type == PDF
    structured = pdf and path.stat().st_size <= STRUCTURE_BYTES
    config = ExtractionConfig(
        pages=PageConfig(extract_pages=True) if pdf else None,
        # A PDF's text is that of its pages; its headings are known only where it was read as Markdown.
        output_format="plain" if pdf and not structured else "markdown",
        include_document_structure=structured,
        use_cache=False,
    )
    return extract_file_sync(path, media_type, config)


def _joined(pages: list[str]) -> tuple[str, list[int]]:
    starts, position = [], 0
    for page in pages:
        starts.append(position)
        position += len(page) + 2
    return "\n\n".join(pages), starts


def _headings(structure: Any, text: str, starts: list[int]) -> list[tuple[int, str, int]]:
    """(start, title, level) of those that are found in the text of their page."""
    found, position = [], 0
    for node in (structure or {}).get("nodes", []):
        content = node["content"]
        if content["node_type"] != "heading" or not 1 <= node.get("page", 0) <= len(starts):
            continue
        lines = content["text"].strip().splitlines()
        start = text.find(lines[0], max(position, starts[node["page"] - 1])) if lines else -1
        if start >= 0:
            position = start + 1
            found.append((start, " ".join(lines)[:200], int(content.get("level") or 1)))
    return found


def _clean(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _reason(error: Exception, media_type: str | None) -> str:
    """What a library says in its own words, in ours. It may name paths of this machine, and says some things twice."""
    if isinstance(error, Refused):
        return str(error)
    text = str(error)
    if "password" in text.lower() or "encrypt" in text.lower():
        return ENCRYPTED
    if "page boundaries" in text:
        return "there is no page in it."
    if type(error).__name__ == "ValidationError":
        return f"files of its kind ({media_type or 'unknown'}) are not read here. {READ}"
    said = [part.strip() for part in PATH.sub("…", text).split(": ")]
    told = ": ".join(dict.fromkeys(part for part in said if part and not part.endswith("Error")))
    return f"it is damaged, or not what its name says ({told[:MAX_SAID] or type(error).__name__})."


if __name__ == "__main__":
    main()
