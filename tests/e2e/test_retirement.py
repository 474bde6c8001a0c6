"""A model that will be shut down says so on every answer, as RFC 9745 and RFC 8594 have it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.promptness import PROMPT
from tests.standins import anthropic_provider
from tests.standins.openai_provider import Behaviour, chunks, completion, events

DAY = datetime(2030, 6, 1, tzinfo=UTC)
SINCE = datetime(2029, 12, 1, tzinfo=UTC)
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/responses": {"input": "hi", "store": False},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
}


async def _chat(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
    if not document.get("stream"):
        return web.json_response(completion("Hello!"))
    return web.Response(body=events(chunks("Hello", "!")), content_type="text/event-stream")


@pytest.fixture
def row(operator: httpx.Client, served: Callable[[Behaviour], str]) -> Iterator[Callable[..., str]]:
    made = []

    def make(provider: str, behaviour: Behaviour, **fields: Any) -> str:
        name = f"going/{uuid4().hex[:8]}"
        deployment = {"provider": provider, "upstream_model": served(behaviour)}
        told = operator.post("/api/v1/admin/models", json={"name": name, "deployments": [deployment], **fields})
        assert told.status_code == 201, told.text
        made.append(name)
        return name

    yield make
    for name in made:
        operator.delete(f"/api/v1/admin/models/{name}")


def ask(tenant: Tenant, path: str, model: str, *, stream: bool) -> httpx.Headers:
    deadline = time.monotonic() + PROMPT
    while True:
        with tenant.with_key() as client:
            answer = client.post(path, json={"model": model, "stream": stream, **ASKED[path]})
        if answer.status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        assert answer.status_code == 200, answer.text
        return answer.headers


def test_every_face_says_when_plain_and_streamed(tenant: Tenant, row: Callable[..., str]) -> None:
    dates = {"shutdown_at": DAY.isoformat(), "deprecated_at": SINCE.isoformat()}
    for provider, behaviour in (("openai", _chat), ("anthropic", anthropic_provider.answers())):
        name = row(provider, behaviour, **dates)
        for path in ASKED:
            if (provider, path) == ("anthropic", "/v1/completions"):
                continue
            for stream in (False, True):
                headers = ask(tenant, path, name, stream=stream)
                assert headers["deprecation"] == f"@{int(SINCE.timestamp())}", (provider, path, stream)
                assert headers["sunset"] == "Sat, 01 Jun 2030 00:00:00 GMT", (provider, path, stream)
    with tenant.with_key() as client:
        told = client.get(f"/v1/models/{name}").json()
    assert (told["deprecated_at"], told["shutdown_at"]) == ("2029-12-01T00:00:00Z", "2030-06-01T00:00:00Z")


def test_an_answer_out_of_the_cache_says_so_too(tenant: Tenant, row: Callable[..., str]) -> None:
    name = row("openai", _chat, shutdown_at=DAY.isoformat(), deprecated_at=SINCE.isoformat())
    ask(tenant, "/v1/chat/completions", name, stream=False)
    with tenant.with_key() as client:
        for _ in range(2):
            body = {"model": name, **ASKED["/v1/chat/completions"]}
            answer = client.post("/v1/chat/completions", json=body, headers={"x-aisp-cache": "max-age=600"})
    assert answer.headers["x-aisp-cache"] == "hit"
    assert parsedate_to_datetime(answer.headers["sunset"]) == DAY


def test_a_row_with_a_shutdown_is_deprecated_from_then_on(
    tenant: Tenant, operator: httpx.Client, row: Callable[..., str]
) -> None:
    name = row("openai", _chat)
    assert not {"deprecation", "sunset"} & {*ask(tenant, "/v1/chat/completions", name, stream=False)}
    path, before = f"/api/v1/admin/models/{name}", datetime.now(UTC)
    (whole,) = [one for one in operator.get("/api/v1/admin/models").json()["data"] if one["name"] == name]
    body = {"deployments": [{key: value for key, value in whole["deployments"][0].items() if key != "id"}]}
    changed = operator.put(path, json=body | {"shutdown_at": DAY.isoformat()}).raise_for_status().json()
    since = datetime.fromisoformat(changed["deprecated_at"])
    assert before <= since <= datetime.now(UTC)
    # Once announced it stays announced, whatever else of the row is changed.
    again = operator.put(path, json=body | {"shutdown_at": SINCE.isoformat()}).raise_for_status().json()
    assert datetime.fromisoformat(again["deprecated_at"]) == since
    wrong = operator.put(path, json=body | {"shutdown_at": SINCE.isoformat(), "deprecated_at": DAY.isoformat()})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "shutdown_at")
