"""What the official SDKs can ask and is not offered is told in their own formats; so is what goes too far."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO, LOCAL
from tests.standins.openai_provider import Behaviour, answers, chunks, events, sends

PAGE = {"Origin": "https://app.example"}
OPENAI: dict[str, Callable[[openai.OpenAI], Any]] = {
    "batches": lambda sdk: sdk.batches.list(),
    "moderations": lambda sdk: sdk.moderations.create(input="x"),
    "images": lambda sdk: sdk.images.generate(prompt="x"),
    "conversations": lambda sdk: sdk.conversations.create(),
    "fine tuning": lambda sdk: sdk.fine_tuning.jobs.list(),
    "uploads": lambda sdk: sdk.uploads.cancel("x"),
    "compact": lambda sdk: sdk.responses.compact(model="m", input="x"),
    "stored completions": lambda sdk: sdk.chat.completions.list(),
}
ANTHROPIC: dict[str, Callable[[anthropic.Anthropic], Any]] = {
    "batches": lambda sdk: sdk.messages.batches.list(),
    "beta batches": lambda sdk: sdk.beta.messages.batches.retrieve("x"),
    "skills": lambda sdk: sdk.beta.skills.list(),
}


@pytest.fixture(params=["", "/api"])
def base(request: pytest.FixtureRequest, tenant: Tenant) -> str:
    path: str = request.param
    return tenant.base_url + path


def test_what_openais_sdk_asks_and_is_not_here(tenant: Tenant, base: str) -> None:
    sdk = openai.OpenAI(base_url=f"{base}/v1", api_key=tenant.key, max_retries=0)
    for name, ask in OPENAI.items():
        with pytest.raises(openai.APIStatusError) as caught:
            ask(sdk)
        assert caught.value.status_code in (404, 405), name
        assert isinstance(caught.value.body, dict), name
        assert caught.value.body["message"].startswith("There is no "), name
        assert caught.value.request_id, name


def test_what_anthropics_sdk_asks_and_is_not_here(tenant: Tenant, base: str) -> None:
    sdk = anthropic.Anthropic(base_url=base, api_key=tenant.key, max_retries=0)
    for name, ask in ANTHROPIC.items():
        with pytest.raises(anthropic.NotFoundError, match="There is no ") as caught:
            ask(sdk)
        assert (caught.value.type, bool(caught.value.request_id)) == ("not_found_error", True), name


def test_more_answers_than_one_request_may_ask_for(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    sdk = openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)
    model = f"openai/{served(answers('a'))}"
    sdk.chat.completions.create(model=model, messages=HELLO, n=128, max_tokens=1)
    with pytest.raises(openai.BadRequestError, match="n must be at most 128") as caught:
        sdk.chat.completions.create(model=model, messages=HELLO, n=129, max_tokens=1)
    assert caught.value.param == "n"
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.completions.create(model=model, prompt="a", n=1, best_of=1000, max_tokens=1)
    assert caught.value.param == "best_of"


def test_a_compressed_body_is_told_so(tenant: Tenant) -> None:
    body = gzip.compress(json.dumps({"model": LOCAL, "messages": HELLO}).encode())
    with tenant.with_key() as client:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        refused = client.post("/v1/chat/completions", content=body, headers=headers)
    assert refused.status_code == 415
    assert "gzip" in refused.json()["error"]["message"]


def test_a_closing_slash_makes_no_difference(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    body = {"model": f"openai/{served(answers('a'))}", "messages": HELLO}
    with tenant.with_key() as client:
        assert client.post("/v1/chat/completions/?beta=true", json=body).status_code == 200
        assert client.get("/api/v1/models/").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_of_another_origin_asks(tenant: Tenant, served: Callable[[Behaviour], str], stream: bool) -> None:
    path, model = f"{tenant.base_url}/v1/chat/completions", served(sends(events(chunks("a")))) if stream else LOCAL
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    assert httpx.options(path, headers=PAGE | asks).headers["access-control-allow-origin"] == PAGE["Origin"]
    body = {"model": f"openai/{model}" if stream else LOCAL, "messages": HELLO, "stream": stream, "max_tokens": 1}
    with tenant.with_key() as client:
        answer = client.post(path, json=body, headers=PAGE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.text.endswith("data: [DONE]\n\n") is stream
