"""Azure's official client pointed at the platform: its paths, its header for keys, its deployments."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO, LOCAL, both
from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, completion

VERSION = "2024-10-21"


def azure(tenant: Tenant, **more: Any) -> openai.AzureOpenAI:
    given = {"azure_endpoint": tenant.base_url, "api_key": tenant.key} | more
    return openai.AzureOpenAI(api_version=VERSION, max_retries=0, **given)


def test_its_calls_are_answered(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    sdk, name = azure(tenant), f"openai/{served(both(completion('Hello!'), chunks('Hel', 'lo!')))}"
    assert sdk.chat.completions.create(model=name, messages=HELLO).choices[0].message.content == "Hello!"
    parts = list(sdk.chat.completions.create(model=name, messages=HELLO, stream=True))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "Hello!"
    assert sdk.completions.create(model=LOCAL, prompt="Hello", max_tokens=1).choices
    response = sdk.responses.create(model=LOCAL, input="Hello", max_output_tokens=1)
    assert sdk.responses.retrieve(response.id).id == response.id
    names = [model.id for model in sdk.models.list()]
    assert LOCAL in names
    (vectors,) = [name for name in names if "minilm" in name]
    assert len(sdk.embeddings.create(model=vectors, input="Hello").data[0].embedding) == 384


def test_the_deployment_of_the_path_decides(
    tenant: Tenant, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    name = served(both(completion("Hello!"), chunks("Hello!")))
    sdk = azure(tenant, azure_deployment=f"openai/{name}")
    assert sdk.chat.completions.create(model="whatever", messages=HELLO).choices[0].message.content == "Hello!"
    assert provider.received[-1]["model"] == name
    undated = openai.OpenAI(base_url=f"{tenant.base_url}/openai/v1/", api_key=tenant.key, max_retries=0)
    told = undated.chat.completions.create(model=f"openai/{name}", messages=HELLO)
    assert told.choices[0].message.content == "Hello!"


def test_its_errors_are_typed(tenant: Tenant) -> None:
    with pytest.raises(openai.AuthenticationError):
        azure(tenant, api_key="aisp_test_no_key").chat.completions.create(model=LOCAL, messages=HELLO)
    with pytest.raises(openai.NotFoundError) as caught:
        azure(tenant).chat.completions.create(model="no-such-model", messages=HELLO)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="There is no "):
        azure(tenant).images.generate(model="x", prompt="x")
