"""What a model is said to lack is refused before it is asked, in each face's own format, with the field and who can."""

from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO, LOCAL, PIXEL, SCHEMA, TOOL

FUNCTION: Any = {"type": "function", "name": "weather", "parameters": SCHEMA}
IMAGE = f"data:image/gif;base64,{PIXEL}"
CALLED: list[Any] = [
    *HELLO,
    {"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "a", "content": "rain"},
]  # fmt: skip
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("/chat/completions", {"messages": HELLO, "tools": [{"type": "function", "function": FUNCTION}]}, "tools"),
    ("/chat/completions", {"messages": HELLO, "functions": [FUNCTION], "stream": True}, "functions"),
    ("/chat/completions", {"messages": HELLO, "modalities": ["text", "audio"]}, "modalities"),
    ("/chat/completions", {"messages": CALLED}, "messages"),
    ("/responses", {"input": "hi", "tools": [FUNCTION]}, "tools"),
    ("/responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]}]}, "input"),
]


@pytest.fixture(params=["/v1", "/api/v1"])
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_openais_faces_name_the_field_and_models_that_can(tenant: Tenant, base: str) -> None:
    with tenant.with_key() as client:
        for path, document, field in ASKED:
            answer = client.post(base + path, json={"model": LOCAL} | document)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported", field), answer.text
            assert error["type"] == "invalid_request_error"
    sdk = openai.OpenAI(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=0)
    with pytest.raises(openai.BadRequestError, match=r"Models that can: .*gpt-4"):
        sdk.chat.completions.create(
            model=LOCAL, messages=HELLO, tools=[{"type": "function", "function": FUNCTION}], tool_choice="required"
        )


def test_anthropics_face_says_it_in_its_own_format(tenant: Tenant, base: str) -> None:
    sdk = anthropic.Anthropic(base_url=tenant.base_url + base.removesuffix("/v1"), api_key=tenant.key, max_retries=0)
    for asked in ({"tools": [TOOL]}, {"tools": [TOOL], "stream": True}):
        with pytest.raises(anthropic.BadRequestError, match=r"tools.*Models that can: .*claude") as caught:
            sdk.messages.create(model=LOCAL, max_tokens=5, messages=HELLO, **asked)
        assert caught.value.type == "invalid_request_error"
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PIXEL}}
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        sdk.messages.create(model=LOCAL, max_tokens=5, messages=[{"role": "user", "content": [image]}])


def test_what_is_said_of_no_tools_is_taken(tenant: Tenant) -> None:
    with tenant.with_key() as client:
        idle = {"tools": [], "tool_choice": "none", "parallel_tool_calls": True}
        answer = client.post("/v1/chat/completions", json={"model": LOCAL, "messages": HELLO, "max_tokens": 2} | idle)
    assert answer.status_code == 200, answer.text


def test_every_model_says_what_it_can_and_is_found_by_its_name(tenant: Tenant, base: str) -> None:
    sdk = openai.OpenAI(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=0)
    listed = [model.to_dict() for model in sdk.models.list()]
    for model in listed:
        assert {"capabilities", "health", "prices", "service"} <= set(model), model
        assert model["capabilities"], model
        assert model["service"] != "llm" or "chat" in model["capabilities"], model  # type: ignore[operator]
        assert sdk.models.retrieve(str(model["id"])).to_dict() == model
    theirs = anthropic.Anthropic(base_url=tenant.base_url + base.removesuffix("/v1"), api_key=tenant.key)
    assert theirs.models.retrieve(LOCAL).id == LOCAL
    with httpx.Client(base_url=tenant.base_url, headers={"x-api-key": tenant.key}) as client:
        told = client.get("/api/v1/services/providers").json()["data"]
    by_name = {model["name"]: model for provider in told for model in provider["models"]}
    for model in listed:
        shown = by_name[str(model["id"])]
        assert (shown["capabilities"], shown["prices"]) == (model["capabilities"], model["prices"])
    assert all(provider["health"] in ("ok", "failing", "not_configured") for provider in told)
