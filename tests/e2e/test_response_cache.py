"""The cache of answers by key, and stored responses: what is reserved for them, and their ids out of the cache."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import openai
import orjson
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO
from tests.e2e.test_responses import NATIVE, native, native_stream
from tests.promptness import PATIENCE
from tests.standins.openai_provider import Behaviour, OpenAIProvider, answers


def keyed(tenant: Tenant, **more: Any) -> openai.OpenAI:
    """The SDK with a key of its own kind."""
    made = tenant.client.post("/api/v1/api-keys", json={"name": "kind"} | more)
    assert made.status_code == 201, made.text
    shown = tenant.client.get(f"/api/v1/api-keys/{made.json()['id']}").json()
    assert shown["answer_cache_seconds"] == more.get("answer_cache_seconds", 0)
    return openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=made.json()["key"], max_retries=0)


def test_a_key_asks_for_the_cache_and_a_request_may_differ(
    tenant: Tenant, served: Callable[[Behaviour], str], provider: OpenAIProvider
) -> None:
    name = served(answers("Hello!"))
    caching, plain = keyed(tenant, answer_cache_seconds=600), keyed(tenant)

    def ask(sdk: openai.OpenAI, wish: str = "") -> Any:
        headers = {"x-aisp-cache": wish} if wish else {}
        create = sdk.chat.completions.with_raw_response.create
        return create(model=f"openai/{name}", messages=HELLO, extra_headers=headers).headers

    asked = [ask(caching), ask(caching), ask(caching, "off"), ask(caching, "refresh"), ask(plain), ask(plain, "on")]
    assert ["age" in headers for headers in asked] == [False, True, False, False, False, True]
    assert len([one for one in provider.received if one["model"] == name]) == 4
    refused = tenant.client.post("/api/v1/api-keys", json={"name": "x", "answer_cache_seconds": -1})
    assert refused.status_code == 422


@pytest.mark.parametrize("stream", [False, True])
def test_a_stored_response_out_of_the_cache_is_one_of_its_own(
    tenant: Tenant, served: Callable[[Behaviour], str], stream: bool
) -> None:
    sdk = keyed(tenant, answer_cache_seconds=600)
    behave = native_stream if stream else native
    name = served(behave(id=f"resp_{uuid4().hex}"))

    def ask() -> list[Any]:
        made: Any = sdk.responses.create(model=f"openai/{name}", input="Hi", stream=stream)
        return [event.response for event in made if hasattr(event, "response")] if stream else [made]

    first, second = ask(), ask()
    ids = [{response.id for response in made} for made in (first, second)]
    assert [len(one) for one in ids] == [1, 1]
    assert ids[0] != ids[1]
    for made in (first, second):
        assert made[-1].to_dict()["store"] is True
        kept = sdk.responses.retrieve(made[-1].id)
        assert kept.output_text == "Hello!"
        assert kept.to_dict() == made[-1].to_dict()


def test_what_is_stored_is_reserved_with_what_goes_on(
    tenant: Tenant, served: Callable[[Behaviour], str], provider: OpenAIProvider
) -> None:
    usage = NATIVE["usage"] | {"input_tokens": 5000, "total_tokens": 5003}
    name = served(native(id=f"resp_{uuid4().hex}", usage=usage))
    first = keyed(tenant).responses.create(model=f"openai/{name}", input="A long story.")
    bounded = keyed(tenant, limits={"tokens_per_minute": 4000})
    asked: dict[str, Any] = {"model": f"openai/{name}", "input": "More", "max_output_tokens": 20}
    with pytest.raises(openai.RateLimitError):
        bounded.responses.create(**asked, previous_response_id=first.id)
    with pytest.raises(openai.NotFoundError) as missing:
        bounded.responses.create(**asked, previous_response_id="resp_none")
    assert missing.value.code == "previous_response_not_found"
    assert bounded.responses.create(**asked, store=False).output_text == "Hello!"
    assert orjson.dumps(provider.received[-1]["input"]) == b'"More"'


def test_a_hit_costs_what_the_plan_says(
    new_tenant: Callable[..., Tenant], operator: httpx.Client, served: Callable[[Behaviour], str]
) -> None:
    price = {"provider": "cache", "model": "response-cache:enterprise", "unit": "cache_hits"}
    body = {"prices": [price | {"nano_usd_per_million": 3 * 10**9, "source": "the plan"}]}
    operator.post("/api/v1/admin/prices", json=body).raise_for_status()
    tenant, name = new_tenant("enterprise"), served(answers("Hello!"))
    sdk = keyed(tenant, answer_cache_seconds=600)
    for _ in range(2):
        sdk.chat.completions.create(model=f"openai/{name}", messages=HELLO)
    deadline = time.monotonic() + PATIENCE
    lines: list[Any] = []
    while not lines and time.monotonic() < deadline:
        time.sleep(0.2)
        events = tenant.client.get("/api/v1/usage/events").json()["data"]
        lines = [line for event in events for line in event["lines"] if line["unit"] == "cache_hits"]
    told = [(line["model"], line["cost_nano_usd"]) for line in lines]
    assert told == [("response-cache:enterprise", 3000)]
