"""What a document asks of whoever answers it: which capabilities it uses, and by which of its fields."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.domain.models import Model
from llm_service.policy.routing import Needs
from llm_service.policy.tokens import estimate_tokens

PARTS = {
    "image_url": "vision", "input_image": "vision", "image": "vision",
    "file": "files", "input_file": "files", "document": "files",
    "input_audio": "audio",
}  # fmt: skip
"""What parts of messages need, by their type, in all formats."""
TEXTS = ("text", "content")
"""Documents in Anthropic's format that are but text."""
LOGPROBS = "message.output_text.logprobs"
WORDS = (*PARTS, "tools", "functions", "json_schema", "logprobs", "top_logprobs", "include", "modalities")
_ASKS = re.compile(f'"(?:{"|".join(WORDS)})"'.encode())
"""A document without any of them needs nothing and is not read; as a word of a text they are escaped otherwise."""


def chooses(model: Model) -> bool:
    """Whether it matters what a call needs: else its document is not looked at for that."""
    return bool(model.capabilities) or any(one.capabilities or one.context_length for one in model.deployments)


def asks(body: bytes) -> bool:
    """Whether a document may need anything."""
    return _ASKS.search(body) is not None


def needs_of(body: bytes) -> Needs:
    """What of the capabilities a document uses. An unreadable one needs nothing: it is refused elsewhere."""
    tokens = estimate_tokens(len(body))
    if not asks(body):
        return Needs(tokens=tokens)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Needs(tokens=tokens)
    fields = dict(_asked(document)) if isinstance(document, dict) else {}
    return Needs(frozenset(fields), tokens, fields)


def _asked(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Capabilities, each with the field that asks for it."""
    yield from (("tools", field) for field in ("tools", "functions") if document.get(field))
    yield from (("logprobs", field) for field in ("logprobs", "top_logprobs") if document.get(field))
    if _lists(document.get("include"), LOGPROBS):
        yield "logprobs", "include"
    for field, wanted in _forms(document):
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            yield "json_schema", field
    if document.get("audio") or _lists(document.get("modalities"), "audio"):
        yield "audio", "modalities"
    for field in ("messages", "input"):
        for part in _parts(document.get(field)):
            kind = part.get("type")
            if isinstance(kind, str) and (needed := PARTS.get(kind)) and not _is_text(part):
                yield needed, field


def _lists(value: Any, word: str) -> bool:
    return isinstance(value, list) and word in value


def _forms(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "response_format", document.get("response_format")
    for field in ("text", "output_config"):
        told = document.get(field)
        if isinstance(told, dict):
            yield f"{field}.format", told.get("format")


def _parts(items: Any) -> Iterator[dict[str, Any]]:
    """What messages, and the results of tools in them, consist of."""
    for item in items if isinstance(items, list) else ():
        for found in (item.get("content"), item.get("output")) if isinstance(item, dict) else ():
            yield from (part for part in found if isinstance(part, dict)) if isinstance(found, list) else ()
            yield from _parts(found)


def _is_text(part: dict[str, Any]) -> bool:
    source = part.get("source")
    return part["type"] == "document" and isinstance(source, dict) and source.get("type") in TEXTS
