"""What a provider says that speaks Anthropic's wire format. Serve it with `openai_provider.running`."""

from typing import Any

import orjson
from aiohttp import web

from tests.standins.openai_provider import Behaviour

USAGE = {"input_tokens": 9, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 2, "output_tokens": 3}


def message(*content: dict[str, Any], stop_reason: str = "end_turn", **fields: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "upstream-name",
        "content": list(content) or [{"type": "text", "text": "Hello!"}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": USAGE,
    } | fields


def stream(*content: dict[str, Any], stop_reason: str = "end_turn", **fields: Any) -> list[dict[str, Any]]:
    """The same answer as the documents of its events: a delta for every few characters."""
    whole = message(*content, stop_reason=stop_reason, **fields)
    begun = whole | {"content": [], "stop_reason": None, "usage": USAGE | {"output_tokens": 1}}
    told: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(whole["content"]):
        empty, deltas = _opened(block)
        told.append({"type": "content_block_start", "index": index, "content_block": empty})
        if index == 0:
            told.append({"type": "ping"})
        told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        told.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop_reason, "stop_sequence": whole["stop_sequence"]}
    return [*told, {"type": "message_delta", "delta": delta, "usage": whole["usage"]}, {"type": "message_stop"}]


def events(documents: list[dict[str, Any]]) -> bytes:
    """Documents as named server-sent events."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (item["type"].encode(), orjson.dumps(item)) for item in documents)


def answers(*content: dict[str, Any], stop_reason: str = "end_turn") -> Behaviour:
    """Answers a call, whole or streamed as it asks."""

    async def behave(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        if not document.get("stream"):
            return web.json_response(message(*content, stop_reason=stop_reason))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for item in stream(*content, stop_reason=stop_reason):
            await response.write(events([item]))
        return response

    return behave


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = block["type"]
    if kind == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": part} for part in _parts(block["text"])]
    if kind == "thinking":
        thought = [{"type": "thinking_delta", "thinking": part} for part in _parts(block["thinking"])]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return block | {"thinking": "", "signature": ""}, [*thought, signed]
    if kind == "tool_use":
        parts = ["", *_parts(orjson.dumps(block["input"]).decode())] if block["input"] else []
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return block, []


def _parts(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]
