"""huggingface_hub's client hears through the platform what it hears from a provider itself."""

from collections.abc import Callable
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO, SCHEMA, both, calling
from tests.standins import deviations
from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, completion, fails

TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
SHAPE: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}


@pytest.fixture
def hear(tenant: Tenant, provider: OpenAIProvider, served: Callable[[Behaviour], str]) -> Callable[..., list[Any]]:
    """What is heard directly, and through the platform on both base paths."""

    def ask(behaviour: Behaviour, **asked: Any) -> list[Any]:
        name = served(behaviour)
        bases = [(provider.address, name), *((f"{tenant.base_url}{path}/v1", f"hf/{name}") for path in ("", "/api"))]
        told = []
        for base, model in bases:
            sdk = huggingface_hub.InferenceClient(base_url=base, api_key=tenant.key)
            answer = sdk.chat_completion(HELLO, model=model, **asked)
            told.append(list(answer) if asked.get("stream") else answer)
        return told

    return ask


def test_whole_and_streamed(hear: Callable[..., list[Any]]) -> None:
    usage: Any = {"include_usage": True}
    for behaviour in (both(completion("Hello!"), chunks("Hel", "lo!")), calling()):
        for asked in ({}, {"stream": True, "stream_options": usage}):
            direct, *through = hear(behaviour, tools=[TOOL], response_format=SHAPE, max_tokens=9, seed=1, **asked)
            assert direct
            assert through == [direct, direct]


def test_what_servers_stream_beyond_the_format(hear: Callable[..., list[Any]]) -> None:
    for name in ("openrouter", "vllm", "llama.cpp", "perplexity"):
        direct, *through = hear(both({}, deviations.STREAMS[name]), stream=True)
        assert len(direct) > 1
        assert through == [direct, direct], name


def test_a_refusal_is_its_typed_exception(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    sdk = huggingface_hub.InferenceClient(base_url=f"{tenant.base_url}/v1", api_key=tenant.key)
    name = served(fails(422, b'{"error":"The prompt is too long.","error_type":"validation"}'))
    with pytest.raises(HfHubHTTPError) as caught:
        sdk.chat_completion(HELLO, model=f"hf/{name}")
    assert caught.value.response.status_code == 422
    assert "The prompt is too long." in str(caught.value)
    assert caught.value.request_id
