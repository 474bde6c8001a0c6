"""A newcomer registers, looks around, makes keys, logs out."""

import time
from collections.abc import Callable

import httpx

from tests.e2e.conftest import Platform, Tenant
from tests.promptness import PROMPT


def test_register_log_in_refresh_and_log_out(tenant: Tenant, platform: Platform) -> None:
    nobody = httpx.Client(base_url=platform.base_url)
    form = {"grant_type": "password", "username": tenant.email, "password": tenant.password}
    by_form = nobody.post("/api/v1/auth/token", data=form)
    assert set(by_form.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    again = {"grant_type": "refresh_token", "refresh_token": by_form.json()["refresh_token"]}
    fresh = nobody.post("/api/v1/auth/token", json=again).json()
    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    assert nobody.get("/api/v1/users/me", headers=headers).json()["email"] == tenant.email
    assert nobody.post("/api/v1/auth/logout", headers=headers).status_code == 204
    deadline = time.monotonic() + PROMPT
    while nobody.get("/api/v1/users/me", headers=headers).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gone = nobody.post(
        "/api/v1/auth/token", json={"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]}
    )
    assert (gone.status_code, gone.json()["code"]) == (401, "BAD_REFRESH_TOKEN")


def test_tenant_and_user_can_be_read_and_changed(tenant: Tenant) -> None:
    assert tenant.client.get("/api/v1/tenants/me").json()["plan"] == "pro"
    assert tenant.client.put("/api/v1/tenants/me", json={"name": "Analytical"}).json()["name"] == "Analytical"
    assert tenant.client.put("/api/v1/users/me", json={"full_name": "Ada L."}).json()["full_name"] == "Ada L."
    assigned = tenant.client.put("/api/v1/tenants/me", json={"plan": "enterprise"})
    assert (assigned.status_code, assigned.json()["errors"][0]["field"]) == (422, "plan")


def test_keys_are_shown_once_listed_rotated_and_revoked(tenant: Tenant) -> None:
    body = {"name": "ci", "scopes": ["inference"], "limits": {"requests_per_minute": 5}}
    made = tenant.client.post("/api/v1/api-keys", json=body)
    assert made.status_code == 201
    key = made.json()
    assert key["key"].startswith(key["prefix"])
    listed = tenant.client.get("/api/v1/api-keys?limit=1").json()
    assert "key" not in listed["data"][0]
    assert listed["next_cursor"]
    assert tenant.client.get(f"/api/v1/api-keys?cursor={listed['next_cursor']}").json()["next_cursor"] is None
    rotated = tenant.client.post(f"/api/v1/api-keys/{key['id']}/rotate").json()
    assert rotated["id"] != key["id"]
    assert tenant.client.delete(f"/api/v1/api-keys/{rotated['id']}").status_code == 204
    headers = {"Authorization": f"Bearer {rotated['key']}"}
    deadline = time.monotonic() + PROMPT
    while httpx.get(f"{tenant.base_url}/v1/models", headers=headers).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_repeated_idempotency_key_makes_one_key(tenant: Tenant) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = (tenant.client.post("/api/v1/api-keys", json={"name": "a"}, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(tenant.client.get("/api/v1/api-keys").json()["data"]) == 2
    other = tenant.client.post("/api/v1/api-keys", json={"name": "b"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")


def test_another_tenants_ids_are_404(new_tenant: Callable[..., Tenant]) -> None:
    owner, stranger = new_tenant(), new_tenant()
    key_id = owner.client.get("/api/v1/api-keys").json()["data"][0]["id"]
    document = owner.client.post("/api/v1/services/rag/documents", json={"text": "A secret of mine."}).json()["id"]
    for path in (f"api-keys/{key_id}", f"services/rag/documents/{document}", f"services/rag/documents/{document}/text"):
        assert stranger.client.get(f"/api/v1/{path}").status_code == 404, path
    for path in (f"api-keys/{key_id}", f"services/rag/documents/{document}"):
        assert stranger.client.delete(f"/api/v1/{path}").status_code == 404, path


def test_only_operators_see_the_operators_routes(tenant: Tenant, operator: httpx.Client) -> None:
    for path in ("admin/tenants", "admin/plans", "admin/prices", "admin/models", "usage/invariants"):
        assert tenant.client.get(f"/api/v1/{path}").status_code == 403
        assert operator.get(f"/api/v1/{path}").status_code == 200
    unknown = operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"plan": "platinum"})
    assert unknown.status_code == 422
