"""Zero difference on recorded traffic: each recorded answer comes through the platform as from the provider itself.

What the platform adds by contract stands in docs/wire-formats.md; none of it is in these documents.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.standins.openai_provider import Behaviour, OpenAIProvider, events

RECORDINGS = Path(os.environ.get("AISP_RECORDINGS", "../shared/recordings/provider-traffic.jsonl"))
REFUSAL = {"error": {"message": "Invalid image.", "type": "invalid_request_error", "param": "messages", "code": "bad"}}
PIECE_BYTES = 1009
"""Where streams are split: anywhere."""

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")


def replays(response: Any, *, stream: bool) -> Behaviour:
    """Answers as it was recorded."""
    wire = events(response) if stream else orjson.dumps(response)

    async def behave(request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        if not stream:
            return web.Response(body=wire, content_type="application/json")
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for begin in range(0, len(wire), PIECE_BYTES):
            await answer.write(wire[begin : begin + PIECE_BYTES])
        return answer

    return behave


def refuses() -> Behaviour:
    """What was behind a recording without an answer."""

    async def behave(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(REFUSAL, status=400)

    return behave


def heard(sdk: openai.OpenAI, row: dict[str, Any], prefix: str) -> list[str]:
    """What a client of the official SDK gets: documents with every field as it was written, or its exception."""
    kinds: dict[str, Callable[..., Any]] = {
        "/v1/chat/completions": sdk.chat.completions.create,
        "/v1/completions": sdk.completions.create,
        "/v1/embeddings": sdk.embeddings.create,
    }
    request = row["request"] | {"model": prefix + row["request"]["model"]}
    try:
        answer = kinds[row["endpoint"]](**request)
        parts = list(answer) if request.get("stream") else [answer]
    except openai.APIStatusError as error:
        return [type(error).__name__, str(error.status_code), json.dumps(error.body)]
    return ["null" if part is None else part.to_json(indent=None, exclude_unset=True) for part in parts]


def test_every_recording_comes_through_unchanged(provider: OpenAIProvider, new_tenant: Callable[..., Tenant]) -> None:
    tenant = new_tenant("enterprise")
    direct = openai.OpenAI(base_url=provider.address, api_key="sk-any", max_retries=0)
    through = openai.OpenAI(base_url=tenant.base_url + "/v1", api_key=tenant.key, max_retries=0)
    rows = [json.loads(line) for line in RECORDINGS.read_text().splitlines()]
    different = []
    for row in rows:
        recorded = row["response"] is not None
        answers = [replays(row["response"], stream=row["stream"])] + ([] if recorded else [refuses()])
        for behaviour in answers:
            provider.behaviour = behaviour
            expected, found = heard(direct, row, ""), heard(through, row, "openai/")
            if found != expected or (recorded and not found):
                different.append((row["provider"], row["id"], expected, found))
    equal = len(rows) - len({name for _, name, *_ in different})
    assert not different, f"{equal} of {len(rows)} recordings without a difference"
