"""Anthropic's messages: a system text, messages of blocks, and streams of blocks."""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.policy.texts.slots import InPieces, Slot, content, objects, slot

DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
CLOSING = frozenset(("content_block_stop", "message_delta", "message_stop"))


class MessageTexts(InPieces):
    """Their texts."""

    def asked(self, document: dict[str, Any]) -> Iterator[Slot]:
        yield from content(document, "system")
        for message in objects(document.get("messages")):
            yield from content(message, "content")
            for block in objects(message.get("content")):
                if block.get("type") == "tool_result":
                    yield from content(block, "content")
                elif block.get("type") == "document" and isinstance(block.get("source"), dict):
                    yield from _document(block["source"])
                yield from _input(block)

    def answered(self, document: dict[str, Any]) -> Iterator[Slot]:
        for block in objects(document.get("content")):
            yield from slot(block, "text")
            yield from slot(block, "thinking")
            yield from _input(block)

    def streamed(self, document: dict[str, Any]) -> Iterator[tuple[str, Slot]]:
        delta = document.get("delta")
        if document.get("type") == "content_block_delta" and isinstance(delta, dict):
            name = DELTAS.get(str(delta.get("type")))
            if name:
                for found in slot(delta, name):
                    yield f"{document.get('index', 0)}.{name}", found

    def bare(self, document: dict[str, Any]) -> bool:
        return document.get("type") == "content_block_delta"

    def strip(self, document: dict[str, Any]) -> None:
        """A delta says nothing else."""

    def closes(self, document: dict[str, Any]) -> bool:
        return document.get("type") in CLOSING

    def refuse(self, document: dict[str, Any]) -> None:
        document["content"] = []
        document["stop_reason"] = "refusal"

    def refusal(self, last: dict[str, Any]) -> bytes:
        events: list[dict[str, Any]] = []
        if last.get("type") in ("content_block_start", "content_block_delta"):
            events.append({"type": "content_block_stop", "index": last.get("index", 0)})
        delta = {"stop_reason": "refusal", "stop_sequence": None}
        events += [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}}, {"type": "message_stop"}]
        return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def _document(source: dict[str, Any]) -> Iterator[Slot]:
    if source.get("type") == "text":
        yield from slot(source, "data")
    yield from content(source, "content")


def _input(block: dict[str, Any]) -> Iterator[Slot]:
    """The texts in the arguments of a tool's use, at any depth."""
    layer: list[Any] = [block["input"]] if block.get("type") == "tool_use" and "input" in block else []
    while layer:
        holder = layer.pop()
        if isinstance(holder, dict | list):
            for key in holder if isinstance(holder, dict) else range(len(holder)):
                yield from slot(holder, key)
                layer.append(holder[key])
