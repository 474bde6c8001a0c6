"""What a message of chat completions says, or a delta of one, however its server tells it: its text, its thoughts, its
calls of tools. Mistral tells content in parts, text-generation-inference once told one call and no list of them, some
tell arguments as the object that they are.
"""

from collections.abc import Iterator
from typing import Any

import orjson

THOUGHTS = ("reasoning_content", "reasoning")
"""Where servers tell what a model thought."""


def text_of(message: dict[str, Any]) -> str:
    """What is said to whoever asked."""
    content = message.get("content")
    return content if isinstance(content, str) else "".join(_texts(content, "text"))


def thought_of(message: dict[str, Any]) -> str:
    """What of the reasoning is told."""
    for name in THOUGHTS:
        if isinstance(message.get(name), str):
            return str(message[name])
    content = message.get("content")
    return "" if isinstance(content, str) else "".join(_texts(content, "thinking"))


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls of tools, or their pieces; arguments are a text."""
    calls = message.get("tool_calls") or []
    return [_plain(call) for call in ([calls] if isinstance(calls, dict) else calls)]


def _plain(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), dict):
        return call
    return call | {"function": function | {"arguments": orjson.dumps(function["arguments"]).decode()}}


def _texts(parts: Any, kind: str) -> Iterator[str]:
    """The texts of the parts of one kind; thoughts are parts in their turn."""
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("type") == kind:
            found = part.get(kind)
            if isinstance(found, str):
                yield found
            else:
                yield from _texts(found, "text")
