"""OpenAI's responses: instructions, items of input and output, and streams that tell each text twice."""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.policy.texts.slots import Slot, content, objects, slot, unspell

DELTAS = frozenset(
    (
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    )
)


class ResponseTexts:
    """Their texts."""

    def asked(self, document: dict[str, Any]) -> Iterator[Slot]:
        yield from slot(document, "instructions")
        yield from slot(document, "input")
        for item in objects(document.get("input")):
            yield from _item(item)

    def answered(self, document: dict[str, Any]) -> Iterator[Slot]:
        for item in objects(document.get("output")):
            yield from _item(item)

    def streamed(self, document: dict[str, Any]) -> Iterator[tuple[str, Slot]]:
        kind = str(document.get("type"))
        if kind in DELTAS:
            for found in slot(document, "delta"):
                part = document.get("content_index", document.get("summary_index", 0))
                yield f"{document.get('output_index', 0)}.{part}.{kind}", found

    def retold(self, document: dict[str, Any]) -> Iterator[Slot]:
        if document.get("type") in DELTAS:
            return
        yield from slot(document, "text")
        yield from slot(document, "arguments")
        yield from slot(document, "input")
        part, item, response = document.get("part"), document.get("item"), document.get("response")
        if isinstance(part, dict):
            yield from slot(part, "text")
        if isinstance(item, dict):
            yield from _item(item)
        if isinstance(response, dict):
            yield from slot(response, "instructions")
            yield from self.answered(response)

    def bare(self, document: dict[str, Any]) -> bool:
        return document.get("type") in DELTAS

    def strip(self, document: dict[str, Any]) -> None:
        unspell(document)

    def closes(self, document: dict[str, Any]) -> bool:
        return document.get("type") not in DELTAS

    def refuse(self, document: dict[str, Any]) -> None:
        document |= {"output": [], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}

    def refusal(self, last: dict[str, Any]) -> bytes:
        response = last.get("response") if isinstance(last.get("response"), dict) else {}
        told = dict(response or {"object": "response"})
        self.refuse(told)
        event = {
            "type": "response.incomplete",
            "sequence_number": int(last.get("sequence_number") or 0) + 1,
            "response": told,
        }
        return b"event: response.incomplete\ndata: " + orjson.dumps(event) + b"\n\n"


def _item(item: dict[str, Any]) -> Iterator[Slot]:
    yield from content(item, "content")
    yield from content(item, "summary")
    yield from content(item, "output")
    yield from slot(item, "arguments")
    yield from slot(item, "input")
