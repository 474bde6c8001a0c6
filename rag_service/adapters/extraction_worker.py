"""Extracts the text of one file, alone in a process: `python -m rag_service.adapters.extraction_worker FILE TYPE MB`.

Limits its own memory and processor time first: a hostile file fails alone. Tells {text, page_starts} or {error} as
one JSON document on standard output.
"""

import json
import resource
import sys

MAX_CPU_SECONDS = 600


def main() -> None:
    """Extracts, tells, ends."""
    path, media_type, megabytes = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
    limit = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        print(json.dumps(extract(path, media_type)))  # noqa: T201  # the answer
    except MemoryError:
        print(json.dumps({"error": "it needs more memory than allowed"}))  # noqa: T201
    except Exception as error:  # noqa: BLE001  # whatever a parser raises is a finding about the file
        print(json.dumps({"error": str(error)[:300]}))  # noqa: T201


def extract(path: str, media_type: str | None) -> dict[str, object]:
    """The text, and where its pages start in it."""
    from kreuzberg import ExtractionConfig, PageConfig, extract_file_sync

    config = ExtractionConfig(pages=PageConfig(extract_pages=True))
    result = extract_file_sync(path, media_type, config)
    pages = [page["content"] for page in (getattr(result, "pages", None) or []) if isinstance(page, dict)]
    if len(pages) < 2:
        return {"text": result.content, "page_starts": [0] if pages else []}
    starts, position = [], 0
    for page in pages:
        starts.append(position)
        position += len(page) + 2
    return {"text": "\n\n".join(pages), "page_starts": starts}


if __name__ == "__main__":
    main()
