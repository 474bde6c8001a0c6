"""Every way in which a credential can come, on both API families and both base paths, and what each is told."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Platform, Tenant

CHAT = {"model": "local/smollm2-135m-instruct", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
EMBED = {"model": "local/all-minilm-l6-v2", "input": "Hi"}
ROUTES: dict[str, tuple[str, str, Any]] = {
    "platform": ("GET", "/api/v1/tenants/me", None),
    "platform ai": ("POST", "/api/v1/services/rag/search", {"query": "Hi"}),
    "openai list": ("GET", "/v1/models", None),
    "openai list, second base": ("GET", "/api/v1/models", None),
    "openai raw": ("POST", "/v1/embeddings", EMBED),
    "openai raw, second base": ("POST", "/api/v1/embeddings", EMBED),
    "openai hot": ("POST", "/v1/chat/completions", CHAT),
    "openai hot, second base": ("POST", "/api/v1/chat/completions", CHAT),
    "anthropic": ("POST", "/v1/messages", CHAT),
    "anthropic, second base": ("POST", "/api/v1/messages", CHAT),
}
GOOD: dict[str, Callable[[Tenant], dict[str, str]]] = {
    "bearer token": lambda tenant: {"authorization": f"Bearer {tenant.token}"},
    "bearer key": lambda tenant: {"authorization": f"Bearer {tenant.key}"},
    "bearer in small letters": lambda tenant: {"authorization": f"bearer {tenant.key}"},
    "x-api-key": lambda tenant: {"x-api-key": tenant.key},
    "the same twice": lambda tenant: {"authorization": f"Bearer {tenant.key}", "x-api-key": tenant.key},
    "a token as x-api-key": lambda tenant: {"x-api-key": tenant.token},
}
BAD: dict[str, tuple[Callable[[Tenant], dict[str, str]], int, str]] = {
    "nothing": (lambda _: {}, 401, "MISSING_CREDENTIALS"),
    "an empty bearer": (lambda _: {"authorization": "Bearer"}, 401, "MISSING_CREDENTIALS"),
    "basic": (lambda tenant: {"authorization": f"Basic {tenant.key}"}, 401, "MISSING_CREDENTIALS"),
    "no scheme": (lambda tenant: {"authorization": tenant.key}, 401, "MISSING_CREDENTIALS"),
    "a key with a typing error": (lambda tenant: {"x-api-key": f"{tenant.key[:-1]}?"}, 401, "BAD_API_KEY"),
    "a token with a typing error": (lambda tenant: {"authorization": f"Bearer {tenant.token}x"}, 401, "BAD_TOKEN"),
    "a refresh token": (lambda tenant: {"authorization": f"Bearer {tenant.refresh_token}"}, 401, "BAD_TOKEN"),
    "two that differ": (
        lambda tenant: {"authorization": f"Bearer {tenant.token}", "x-api-key": tenant.key},
        400,
        "TWO_CREDENTIALS",
    ),
    "a cookie": (lambda tenant: {"cookie": f"access_token={tenant.token}"}, 401, "MISSING_CREDENTIALS"),
}
PAIRS = 60
SAME_TIME = (0.6, 1.67)
TRIES = 8
"""What a busy machine makes of few pairs goes with more of them; what the gateway tells stays."""


@pytest.fixture(scope="module")
def known(platform: Platform, operator: httpx.Client) -> Tenant:
    """One tenant for the whole matrix."""
    from uuid import uuid4

    email, password = f"{uuid4().hex}@example.com", f"correct horse {uuid4().hex}"
    client = httpx.Client(base_url=platform.base_url, timeout=120)
    told = client.post("/api/v1/auth/register", json={"email": email, "password": password}).raise_for_status().json()
    client.headers["Authorization"] = f"Bearer {told['access_token']}"
    operator.patch(f"/api/v1/admin/tenants/{told['tenant']['id']}", json={"plan": "pro"}).raise_for_status()
    key = client.post("/api/v1/api-keys", json={"name": "test"}).raise_for_status().json()["key"]
    platform.canaries.update((password, told["access_token"], told["refresh_token"], key))
    return Tenant(
        told["tenant"]["id"], email, password, told["refresh_token"], told["access_token"], key, client,
        platform.base_url,
    )  # fmt: skip


def send(known: Tenant, route: str, headers: dict[str, str]) -> httpx.Response:
    method, path, body = ROUTES[route]
    return httpx.request(method, f"{known.base_url}{path}", json=body, headers=headers, timeout=120)


@pytest.mark.parametrize("carrier", GOOD)
@pytest.mark.parametrize("route", ROUTES)
def test_every_carrier_works_everywhere(known: Tenant, route: str, carrier: str) -> None:
    answer = send(known, route, GOOD[carrier](known))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("carrier", BAD)
@pytest.mark.parametrize("route", ROUTES)
def test_what_is_refused_is_told_in_the_routes_own_format(known: Tenant, route: str, carrier: str) -> None:
    make, status, reason = BAD[carrier]
    answer = send(known, route, make(known))
    assert answer.status_code == status, answer.text
    document = answer.json()
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    if route.startswith("platform"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert (document["code"], document["status"]) == (reason, status)
        assert document["request_id"] == answer.headers["x-request-id"]
        return
    assert answer.headers["content-type"] == "application/json"
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    assert document["error"]["type"] == kind
    if route.startswith("anthropic"):
        assert document["type"] == "error"
    else:
        invalid = "invalid_api_key" if status == 401 else "two_credentials"
        assert document["error"]["code"] == invalid


def test_an_unknown_key_takes_as_long_as_a_known_one_with_another_secret(known: Tenant) -> None:
    """Both are looked up, none is found out by the clock."""
    from auth_service.policy.keys import checksum

    head, _, secret = known.key.rpartition("_")
    swapped = ("A" if secret[0] != "A" else "B") + secret[1:43]
    stranger = f"{head[:-16]}{head[-16:][::-1]}_{swapped}"
    presented = {"known": f"{head}_{swapped}", "unknown": stranger}
    spent: dict[str, list[float]] = {name: [] for name in presented}
    ratio = 0.0
    with httpx.Client(base_url=known.base_url) as client:
        for _ in range(TRIES):
            for _ in range(PAIRS):
                for name, body in presented.items():
                    began = time.perf_counter()
                    answer = client.get("/v1/models", headers={"x-api-key": body + checksum(body)})
                    spent[name].append(time.perf_counter() - began)
                    assert answer.status_code == 401, answer.text
            ratio = statistics.median(spent["known"]) / statistics.median(spent["unknown"])
            if SAME_TIME[0] < ratio < SAME_TIME[1]:
                break
    assert SAME_TIME[0] < ratio < SAME_TIME[1], ratio
