"""Extracts the text of one file, alone in a process: `… extraction_worker FILE TYPE TARGET MEGABYTES TEXT_BYTES`.

Limits itself first: a hostile file fails alone. Writes the text to TARGET and tells {characters, page_starts, headings,
megabytes, seconds} or {error} as one JSON document on standard output.
"""

import json
import re
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from rag_service.adapters.sandbox import confine, refuse_calls

STRUCTURE_BYTES = 4 * 1024 * 1024
"""A larger PDF goes without its headings: finding them takes several times the memory."""
MAX_ENTRIES = 10_000
MAX_RATIO = 200
RATIO_COUNTS_FROM = 16 * 1024 * 1024
MAX_NESTING = 3
ARCHIVES = (".zip", ".docx", ".xlsx", ".pptx", ".epub", ".jar", ".odt")
PATH = re.compile(r"(?:/[\w.-]+){2,}")
MAX_SAID = 200
ENCRYPTED = "it is encrypted. Upload it without a password."
READ = "Save it as PDF, DOCX, PPTX, XLSX, ODT, EPUB, HTML, Markdown, CSV, EML, RTF or plain text."
FRONT_MATTER = re.compile(r"\A---\n.*?(?=^# |\n\n(?!#))", re.DOTALL | re.MULTILINE)


class Refused(Exception):  # a finding about the file
    """Why nothing is taken out of it."""


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
    if zipfile.is_zipfile(path):
        check_archive(path, memory // 2)
    pdf = media_type == "application/pdf"
    result = _extracted(path, media_type, pdf=pdf)
    pages = [page["content"] for page in (result.pages or [])] if pdf else []
    if pdf:
        text, starts = _joined([_clean(page) for page in pages])
        headings = _headings(result.document, text, starts)
    else:
        text, starts, headings = _clean(result.content), [], []
        if media_type == "text/html":
            text = FRONT_MATTER.sub("", text).lstrip()
    if not text.strip():
        scanned = "; is it scanned? There is no text recognition here" if pdf else ""
        raise Refused(f"there is no text in it{scanned}.")
    characters = len(text)
    # With room for both: the library's result is not needed any more.
    del result, pages
    with target.open("w", encoding="utf-8", newline="") as file:
        for start in range(0, characters, 1 << 20):
            file.write(text[start : start + (1 << 20)])
    return {"characters": characters, "page_starts": starts, "headings": headings}


def _extracted(path: Path, media_type: str | None, *, pdf: bool) -> Any:
    from kreuzberg import ExtractionConfig, PageConfig, extract_file_sync

    structured = pdf and path.stat().st_size <= STRUCTURE_BYTES
    config = ExtractionConfig(
        pages=PageConfig(extract_pages=True) if pdf else None,
        # A PDF's text is that of its pages; its headings are known only where it was read as Markdown.
        output_format="plain" if pdf and not structured else "markdown",
        include_document_structure=structured,
        use_cache=False,
    )
    return extract_file_sync(path, media_type, config)


def check_archive(path: Any, most_bytes: int, depth: int = 1) -> None:
    """Refuses what is made to hurt, before anything is unpacked: by what the archive says of itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
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
                    with archive.open(one) as inner:
                        check_archive(inner, most_bytes - unpacked, depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        if depth == 1:
            raise Refused("it is a damaged ZIP archive.") from None


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


def _reason(error: Exception, media_type: str) -> str:
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
