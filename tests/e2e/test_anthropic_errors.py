"""What fails reaches the official anthropic SDK as its typed exceptions, on both base paths."""

import time
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO, LOCAL, TEXT, told
from tests.promptness import PATIENCE
from tests.standins import anthropic_provider as wire
from tests.standins.openai_provider import Behaviour, OpenAIProvider, fails, sends


@pytest.fixture(params=["", "/api"])
def base(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


@pytest.fixture
def sdk(tenant: Tenant, base: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=0)


@pytest.mark.parametrize(
    ("status", "kind", "error", "shown"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError, "invalid_request_error"),
        (401, "authentication_error", anthropic.ServiceUnavailableError, "api_error"),
        (404, "not_found_error", anthropic.NotFoundError, "not_found_error"),
        (413, "request_too_large", anthropic.RequestTooLargeError, "request_too_large"),
        (429, "rate_limit_error", anthropic.RateLimitError, "rate_limit_error"),
        (500, "api_error", anthropic.OverloadedError, "overloaded_error"),
        (529, "overloaded_error", anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_a_providers_failure_is_a_typed_exception(
    sdk: anthropic.Anthropic,
    served: Callable[[Behaviour], str],
    status: int,
    kind: str,
    error: type[Exception],
    shown: str,
) -> None:
    name = served(fails(status, told(kind)))
    with pytest.raises(error) as caught:
        sdk.messages.create(model=f"anthropic/{name}", max_tokens=5, messages=HELLO)
    assert isinstance(caught.value, anthropic.APIStatusError)
    assert caught.value.type == shown
    assert caught.value.request_id
    with pytest.raises(error), sdk.messages.stream(model=f"anthropic/{name}", max_tokens=5, messages=HELLO) as stream:
        stream.get_final_message()


def test_the_platforms_own_refusals_are_typed_exceptions(sdk: anthropic.Anthropic, tenant: Tenant, base: str) -> None:
    stranger = anthropic.Anthropic(base_url=tenant.base_url + base, api_key="aisp_test_no_key", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as unknown:
        stranger.messages.create(model=LOCAL, max_tokens=5, messages=HELLO)
    assert unknown.value.type == "authentication_error"
    made = tenant.client.post("/api/v1/api-keys", json={"name": "reader", "scopes": ["usage:read"]}).json()
    reader = anthropic.Anthropic(base_url=tenant.base_url + base, api_key=made["key"], max_retries=0)
    with pytest.raises(anthropic.PermissionDeniedError) as scopeless:
        reader.messages.create(model=LOCAL, max_tokens=5, messages=HELLO)
    assert scopeless.value.type == "permission_error"
    with pytest.raises(anthropic.NotFoundError) as missing:
        sdk.messages.create(model="no-such-model", max_tokens=5, messages=HELLO)
    assert missing.value.type == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        sdk.messages.create(model=LOCAL, max_tokens=-1, messages=HELLO)
    with pytest.raises(anthropic.RequestTooLargeError) as large:
        sdk.messages.create(model=LOCAL, max_tokens=5, messages=[{"role": "user", "content": "x" * 17_000_000}])
    assert str(large.value.type) == "request_too_large"
    few = tenant.client.post("/api/v1/api-keys", json={"name": "few", "limits": {"requests_per_minute": 1}}).json()
    limited = anthropic.Anthropic(base_url=tenant.base_url + base, api_key=few["key"], max_retries=0)
    limited.messages.create(model=LOCAL, max_tokens=1, messages=HELLO)
    with pytest.raises(anthropic.RateLimitError) as refused:
        limited.messages.create(model=LOCAL, max_tokens=1, messages=HELLO)
    assert refused.value.type == "rate_limit_error"
    assert int(refused.value.response.headers["retry-after"]) >= 1


def test_a_stream_that_fails_in_the_middle_raises_a_typed_exception(
    sdk: anthropic.Anthropic, served: Callable[[Behaviour], str]
) -> None:
    begun = wire.events(wire.stream(TEXT)[:5])
    name = served(sends(begun, b"event: error\ndata: " + told("overloaded_error") + b"\n\n"))
    stream = iter(sdk.messages.create(model=f"anthropic/{name}", max_tokens=5, messages=HELLO, stream=True))
    assert [next(stream).type, next(stream).type] == ["message_start", "content_block_start"]
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(stream)
    assert caught.value.type == "overloaded_error"


def test_an_impatient_client_leaves_and_the_provider_hears_of_it(
    sdk: anthropic.Anthropic, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    name = served(sends(hang=True))
    provider.cancelled.clear()
    with pytest.raises(anthropic.APITimeoutError):
        sdk.with_options(timeout=0.5).messages.create(model=f"anthropic/{name}", max_tokens=5, messages=HELLO)
    deadline = time.monotonic() + PATIENCE
    while not provider.cancelled.is_set() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert provider.cancelled.is_set()


def test_the_sdks_own_retries_come_through(tenant: Tenant, served: Callable[[Behaviour], str], base: str) -> None:
    failures = iter(range(3))

    async def recovers(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        if next(failures, None) is not None:
            return await fails(429, told("rate_limit_error"))(request, document)
        return await wire.answers(TEXT)(request, document)

    sdk = anthropic.Anthropic(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=2)
    answer = sdk.messages.create(model=f"anthropic/{served(recovers)}", max_tokens=5, messages=HELLO)
    assert answer.content[0].to_dict() == TEXT
