"""Images and files: Anthropic's sources and OpenAI's addresses."""

import re
from typing import Any

from llm_service.policy.translation.fields import at, bad, given, member, objects, text, unsupported

IMAGE_TYPES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
PDF = "application/pdf"
UNNAMED = "document.pdf"
"""OpenAI wants a name, Anthropic does not."""
_DATA = re.compile(r"data:([a-z0-9.+-]+/[a-z0-9.+-]+);base64,(.*)", re.DOTALL)


def image_to_chat(block: dict[str, Any], where: str) -> dict[str, Any]:
    """An image block as a part."""
    found = given(block, ("type", "source", "cache_control"), where)
    source = member(found, "source", where)
    place = at(where, "source")
    if source.get("type") == "url":
        address = text(source, "url", place)
    elif source.get("type") == "base64":
        address = f"data:{text(source, 'media_type', place)};base64,{text(source, 'data', place)}"
    else:
        unsupported(place)
    return {"type": "image_url", "image_url": {"url": address}}


def image_to_messages(part: dict[str, Any], where: str) -> dict[str, Any]:
    """An image part as a block."""
    found = given(part.get("image_url"), ("url", "detail"), at(where, "image_url"))
    # Anthropic reads images as finely as it can; to read one coarsely cannot be asked of it.
    if found.get("detail", "auto") not in ("auto", "high"):
        unsupported(at(where, "image_url.detail"))
    address = text(found, "url", at(where, "image_url"))
    if not address.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": address}}
    media_type, data = _data_of(address, at(where, "image_url.url"))
    if media_type not in IMAGE_TYPES:
        unsupported(at(where, "image_url.url"))
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document_to_chat(block: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """A document block as parts: a file, or what a text document says."""
    found = given(block, ("type", "source", "title", "context", "citations", "cache_control"), where)
    if member(found, "citations", where).get("enabled"):
        unsupported(at(where, "citations"))
    source, place = member(found, "source", where), at(where, "source")
    headed = [{"type": "text", "text": text(found, key, where)} for key in ("title", "context") if found.get(key)]
    kind = source.get("type")
    if kind == "text":
        return [*headed, {"type": "text", "text": text(source, "data", place)}]
    if kind == "content":
        return [*headed, *_content_parts(source, place)]
    if kind != "base64":
        unsupported(place)
    if found.get("context"):
        unsupported(at(where, "context"))
    data = f"data:{source.get('media_type')};base64,{text(source, 'data', place)}"
    return [{"type": "file", "file": {"filename": found.get("title") or UNNAMED, "file_data": data}}]


def file_to_messages(part: dict[str, Any], where: str) -> dict[str, Any]:
    """A file part as a document block."""
    found = given(part.get("file"), ("filename", "file_data"), at(where, "file"))
    media_type, data = _data_of(text(found, "file_data", at(where, "file")), at(where, "file.file_data"))
    if media_type != PDF:
        unsupported(at(where, "file.file_data"))
    block: dict[str, Any] = {
        "type": "document",
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }
    name = found.get("filename", UNNAMED)
    return block if name == UNNAMED else block | {"title": name}


def _content_parts(source: dict[str, Any], place: str) -> list[dict[str, Any]]:
    content = source.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for where, block in objects(content, at(place, "content")):
        if block.get("type") == "image":
            parts.append(image_to_chat(block, where))
        else:
            found = given(block, ("type", "text", "cache_control"), where)
            parts.append({"type": "text", "text": text(found, "text", where)})
    return parts


def _data_of(address: str, where: str) -> tuple[str, str]:
    match = _DATA.fullmatch(address)
    if match is None:
        bad(where, "must be a data: address in base64")
    return match[1], match[2]
