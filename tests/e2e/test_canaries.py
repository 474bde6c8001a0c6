"""Secrets in the wrong places: none is told again. (What the whole run wrote is searched when it ends: conftest.)"""

from collections.abc import Callable
from uuid import uuid4

import httpx

from tests.e2e.conftest import Platform, Tenant


def test_a_secret_in_a_wrong_place_is_not_repeated(
    platform: Platform, tenant: Tenant, new_tenant: Callable[..., Tenant]
) -> None:
    canary = f"canary{uuid4().hex}"
    platform.canaries.add(canary)
    other = new_tenant()
    answers = []
    with httpx.Client(base_url=platform.base_url) as client:
        login = {"email": tenant.email, "password": canary}
        answers += [
            client.post("/api/v1/auth/token", json=login),
            client.post("/api/v1/auth/token", data={"username": tenant.email, "password": canary}),
            client.post("/api/v1/auth/token", json={"grant_type": "refresh_token", "refresh_token": canary}),
            client.post("/api/v1/auth/token", content=f'{{"password": "{canary}", '.encode()),
            client.post("/api/v1/auth/register", json={"email": canary, "password": canary, "x": canary}),
            client.get("/v1/models", headers={"authorization": f"Bearer {canary}"}),
            client.get("/v1/models", headers={"x-api-key": canary}),
            client.get("/v1/models", headers={"authorization": f"Bearer {tenant.token}", "x-api-key": canary}),
            client.get("/v1/models", headers={"x-api-key": f"{tenant.key[:-5]}{canary}"}),
            client.get("/v1/models", params={"api_key": canary, "key": canary, "access_token": canary}),
            client.get("/api/v1/users/me", headers={"cookie": f"session={canary}"}),
        ]
    for answer in answers:
        assert answer.status_code in (400, 401, 422), answer.text
        assert canary not in answer.text
        assert canary not in str(answer.headers)
    assert tenant.key not in tenant.client.get("/api/v1/api-keys").text
    assert other.key not in other.client.get("/api/v1/api-keys").text
