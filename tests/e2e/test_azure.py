"""Azure: addressed as its official client does, its filter's results passed on, its errors whole."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import anthropic
import httpx
import openai
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.promptness import PROMPT
from tests.standins.openai_provider import OpenAIProvider, chunks, completion, events

HELLO: Any = [{"role": "user", "content": "Hello!"}]
VERSION = "2024-10-21"
SAFE = {"hate": {"filtered": False, "severity": "safe"}, "violence": {"filtered": False, "severity": "low"}}
OF_PROMPT = [
    {"prompt_index": 0, "content_filter_results": SAFE | {"jailbreak": {"filtered": False, "detected": False}}}
]
FIRST = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": OF_PROMPT}
REFUSED = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": SAFE | {"violence": {"filtered": True, "severity": "high"}},
        },
    }
}
STREAM = [FIRST, *(
    chunk | {"choices": [choice | {"content_filter_results": SAFE} for choice in chunk["choices"]], "usage": None}
    for chunk in chunks("Hel", "lo!")[:-1]
), chunks("Hel", "lo!")[-1]]  # fmt: skip
WHOLE = completion("Hello!") | {"prompt_filter_results": OF_PROMPT}


async def behave(_request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
    if "refused" in document["model"]:
        return web.json_response(REFUSED, status=400)
    if not document.get("stream"):
        if "input" in document:
            return web.json_response({"id": "resp_1", "object": "response", "status": "completed", "output": []})
        return web.json_response(WHOLE)
    asked = document.get("stream_options", {}).get("include_usage")
    return web.Response(body=events(STREAM if asked else STREAM[:-1]), content_type="text/event-stream")


@pytest.fixture
def names(operator: httpx.Client, provider: OpenAIProvider, tenant: Tenant) -> Iterator[Callable[..., str]]:
    """A row for an Azure deployment, in force; its upstream name is the name behind the slash."""
    made = []
    wanted = {"provider": "azure", "key": f"azure-{uuid4().hex}", "base_url": provider.address}
    key = operator.post("/api/v1/admin/provider-keys", json=wanted)
    credential = key.raise_for_status().json()["id"]

    def make(kind: str = "plain", **fields: Any) -> str:
        upstream = f"{kind}-{uuid4().hex[:8]}"
        provider.behaviours[upstream] = behave
        place = {"provider": "azure", "upstream_model": upstream, "credential_id": credential}
        place |= {"base_url": provider.address} | fields
        row = {"name": f"azure-row/{upstream}", "deployments": [place]}
        assert operator.post("/api/v1/admin/models", json=row).status_code == 201
        made.append(row["name"])
        deadline = time.monotonic() + PROMPT
        while tenant.client.get(f"/v1/models/{row['name']}").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return str(row["name"])

    yield make
    for name in made:
        operator.delete(f"/api/v1/admin/models/{name}")
    operator.delete(f"/api/v1/admin/provider-keys/{credential}")


def official(provider: OpenAIProvider) -> openai.AzureOpenAI:
    endpoint = provider.address
    return openai.AzureOpenAI(azure_endpoint=endpoint, api_key="k", api_version=VERSION, max_retries=0)


def ours(tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)


def test_it_is_addressed_as_its_official_client_does(
    tenant: Tenant, provider: OpenAIProvider, names: Callable[..., str]
) -> None:
    name = names(api_version=VERSION)
    upstream = name.partition("/")[2]
    calls: list[Callable[[openai.OpenAI, str], Any]] = [
        lambda sdk, model: sdk.chat.completions.create(model=model, messages=HELLO),
        lambda sdk, model: list(sdk.chat.completions.create(model=model, messages=HELLO, stream=True)),
        lambda sdk, model: sdk.completions.create(model=model, prompt="Hello"),
        lambda sdk, model: sdk.responses.create(model=model, input="Hello", store=False),
    ]
    for call in calls:
        call(official(provider), upstream)
        call(ours(tenant), name)
        assert provider.paths[-2] == provider.paths[-1]
        assert f"api-version={VERSION}" in provider.paths[-1]
        assert all("Authorization" not in headers and "api-key" in headers for headers in provider.headers[-2:])
    undated = names()
    ours(tenant).chat.completions.create(model=undated, messages=HELLO)
    assert provider.paths[-1] == "/v1/openai/v1/chat/completions"


def test_what_its_filter_found_comes_through(
    tenant: Tenant, provider: OpenAIProvider, names: Callable[..., str]
) -> None:
    name = names(api_version=VERSION)
    upstream = name.partition("/")[2]
    heard = []
    for sdk, model in ((official(provider), upstream), (ours(tenant), name)):
        whole = sdk.chat.completions.create(model=model, messages=HELLO).model_dump()
        assert whole["prompt_filter_results"] == OF_PROMPT
        parts = [part.model_dump() for part in sdk.chat.completions.create(model=model, messages=HELLO, stream=True)]
        assert parts[0]["prompt_filter_results"] == OF_PROMPT
        heard.append((whole, parts))
    assert heard[0] == heard[1]


def test_the_first_chunk_of_nothing_begins_no_message(tenant: Tenant, names: Callable[..., str]) -> None:
    sdk = anthropic.Anthropic(base_url=tenant.base_url, api_key=tenant.key, max_retries=0)
    with sdk.messages.stream(model=names(api_version=VERSION), max_tokens=9, messages=HELLO) as stream:
        first = next(iter(stream))
        message = stream.get_final_message()
    assert first.type == "message_start"
    assert (first.message.id, first.message.model) == ("msg_1", "upstream-name")
    assert message.content[0].text == "Hello!"  # type: ignore[union-attr]


def test_its_refusal_tells_what_was_filtered(
    tenant: Tenant, provider: OpenAIProvider, names: Callable[..., str]
) -> None:
    name = names("refused", api_version=VERSION)
    heard = []
    for sdk, model in ((official(provider), name.partition("/")[2]), (ours(tenant), name)):
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError) as caught:
                sdk.chat.completions.create(model=model, messages=HELLO, stream=stream)
            error = caught.value
            assert isinstance(error.body, dict)
            heard.append((error.code, error.param, error.body["innererror"], error.body["message"], error.body["type"]))
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert heard[0][2] == REFUSED["error"]["innererror"]
