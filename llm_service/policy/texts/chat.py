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
                for found in content(delta, name):
                    yield f"{index}.{name}", found
            for call in _calls(delta):
                for found in _argument(call):
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
            for name in {*delta} - BARE - {"tool_calls", "function_call"}:
                del delta[name]
            for call in _calls(delta):
                call.pop("id", None)
                call.pop("type", None)
                for kind in ("function", "custom"):
                    call.get(kind, {}).pop("name", None)

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
    for call in _calls(message):
        yield from _argument(call)


def _calls(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Calls of tools, of which some servers tell one and no list; and the older form, one call of a function."""
    calls = message.get("tool_calls")
    yield from objects([calls] if isinstance(calls, dict) else calls)
    if isinstance(message.get("function_call"), dict):
        yield {"function": message["function_call"]}


def _argument(call: dict[str, Any]) -> Iterator[Slot]:
    """What a call gives to its tool."""
    for kind, key in (("function", "arguments"), ("custom", "input")):
        if isinstance(call.get(kind), dict):
            yield from slot(call[kind], key)
