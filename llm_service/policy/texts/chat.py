"""OpenAI's chat completions: messages and choices."""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.policy.texts.slots import InPieces, Slot, content, objects, slot, unspell

SAID = ("content", "refusal", "reasoning_content", "reasoning")
BARE = frozenset(SAID)


class ChatTexts(InPieces):
    """Their texts; arguments of tool calls are texts, too."""

    def asked(self, document: dict[str, Any]) -> Iterator[Slot]:
        for message in objects(document.get("messages")):
            yield from content(message, "content")
            yield from _arguments(message)

    def answered(self, document: dict[str, Any]) -> Iterator[Slot]:
        for choice in objects(document.get("choices")):
            message = choice.get("message")
            if isinstance(message, dict):
                for name in SAID:
                    yield from content(message, name)
                yield from _arguments(message)

    def streamed(self, document: dict[str, Any]) -> Iterator[tuple[str, Slot]]:
        for choice in objects(document.get("choices")):
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                continue
            index = choice.get("index", 0)
            for name in SAID:
                for found in slot(delta, name):
                    yield f"{index}.{name}", found
            for call in objects(delta.get("tool_calls")):
                for found in slot(call.get("function") or {}, "arguments"):
                    yield f"{index}.tool.{call.get('index', 0)}", found

    def bare(self, document: dict[str, Any]) -> bool:
        return not document.get("usage") and all(
            not choice.get("finish_reason") and {*(choice.get("delta") or {})} <= BARE
            for choice in objects(document.get("choices"))
        )

    def strip(self, document: dict[str, Any]) -> None:
        document.pop("usage", None)
        unspell(document)
        for choice in objects(document.get("choices")):
            choice["finish_reason"] = None
            delta = choice["delta"]
            for name in {*delta} - BARE - {"tool_calls"}:
                del delta[name]
            for call in objects(delta.get("tool_calls")):
                call.pop("id", None)
                call.pop("type", None)
                call.get("function", {}).pop("name", None)

    def closes(self, document: dict[str, Any]) -> bool:
        choices = [*objects(document.get("choices"))]
        return not choices or any(choice.get("finish_reason") for choice in choices)

    def refuse(self, document: dict[str, Any]) -> None:
        for choice in objects(document.get("choices")):
            choice["message"] = {"role": "assistant", "content": None, "refusal": None}
            choice["finish_reason"] = "content_filter"
            choice.pop("logprobs", None)

    def refusal(self, last: dict[str, Any]) -> bytes:
        indexes = [choice.get("index", 0) for choice in objects(last.get("choices"))] or [0]
        choices = [{"index": index, "delta": {}, "finish_reason": "content_filter"} for index in indexes]
        return b"data: " + orjson.dumps({**last, "choices": choices}) + b"\n\n"


def _arguments(message: dict[str, Any]) -> Iterator[Slot]:
    for call in objects(message.get("tool_calls")):
        function = call.get("function")
        if isinstance(function, dict):
            yield from slot(function, "arguments")
