"""What the journeys of official SDKs have in common: what is asked, and how the stand-in behaves."""

import base64
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel

from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, completion, events, sends

LOCAL = "local/smollm2-135m-instruct"
HELLO: Any = [{"role": "user", "content": "Say hello."}]
TEXT = {"type": "text", "text": "It rains in both."}
CALLS = [
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
    {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Rome"}},
]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"name": "weather", "description": "How the weather is.", "input_schema": SCHEMA}
PIXEL = base64.b64encode(b"GIF89a\x01\x00\x01\x00").decode()


class City(BaseModel):
    name: str
    people: int


ROME = {"type": "text", "text": '{"name": "Rome", "people": 3}'}


def received(provider: OpenAIProvider, name: str) -> list[dict[str, Any]]:
    return [document for document in provider.received if document.get("model") == name]


def headers(provider: OpenAIProvider, name: str) -> dict[str, str]:
    pairs = zip(provider.received, provider.headers, strict=True)
    return {
        key.lower(): value for document, found in pairs if document.get("model") == name for key, value in found.items()
    }


def both(whole: dict[str, Any], streamed: list[dict[str, Any]]) -> Behaviour:
    """A provider of OpenAI's format that answers whole, or streamed."""

    async def behave(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        if document.get("stream"):
            return await sends(events(streamed))(request, document)
        return web.json_response(whole)

    return behave


def calling() -> Behaviour:
    """One of OpenAI's format that calls two tools at once."""
    calls: list[dict[str, Any]] = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": orjson.dumps(call["input"]).decode()},
        }
        for call in CALLS
    ]
    whole = completion("")
    whole["choices"][0] |= {
        "message": {"role": "assistant", "content": None, "tool_calls": calls},
        "finish_reason": "tool_calls",
    }
    streamed = chunks("x")
    begun = [
        call | {"index": index, "function": call["function"] | {"arguments": ""}} for index, call in enumerate(calls)
    ]
    deltas = []
    for index, call in enumerate(calls):
        arguments = call["function"]["arguments"]
        deltas += [
            begun[index],
            *({"index": index, "function": {"arguments": part}} for part in (arguments[:5], arguments[5:])),
        ]
    streamed[0:1] = [
        streamed[0] | {"choices": [{"index": 0, "delta": {"tool_calls": [delta]}, "finish_reason": None}]}
        for delta in deltas
    ]
    streamed[-2]["choices"][0]["finish_reason"] = "tool_calls"
    return both(whole, streamed)


def told(kind: str) -> bytes:
    """An error as Anthropic tells it."""
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": "boom"}})
