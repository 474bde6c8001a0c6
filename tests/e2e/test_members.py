"""An admin builds a team: invitations, roles, sessions, ownership; and nobody gets more than somebody had to give."""

import time
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import Platform, Tenant, join
from tests.promptness import PROMPT


def within_a_second(check: Callable[[], bool]) -> None:
    """In which every gateway knows."""
    deadline = time.monotonic() + PROMPT
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_invited_colleague_joins_with_the_role_and_a_session(tenant: Tenant) -> None:
    grace = join(tenant, "developer")
    me = grace.client.get("/api/v1/users/me").json()
    assert (me["id"], me["role"], me["full_name"]) == (grace.user_id, "developer", "Grace")
    assert grace.client.get("/api/v1/tenants/me").json()["id"] == tenant.id
    assert grace.client.post("/api/v1/api-keys", json={"name": "mine"}).status_code == 201
    refused = grace.client.get("/api/v1/users")
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    listed = tenant.client.get("/api/v1/users").json()["data"]
    assert (listed[0]["id"], listed[0]["role"]) == (grace.user_id, "developer")
    assert tenant.client.get(f"/api/v1/users/{grace.user_id}").json()["email"] == grace.email
    assert tenant.client.get("/api/v1/invitations").json()["data"] == []


def test_a_secret_is_good_once_and_not_after_it_was_taken_back(tenant: Tenant) -> None:
    def invite() -> dict[str, str]:
        body = {"email": f"{uuid4().hex}@example.com", "role": "viewer"}
        made: dict[str, str] = tenant.client.post("/api/v1/invitations", json=body).raise_for_status().json()
        return made

    def accept(token: str) -> httpx.Response:
        body = {"token": token, "password": "battery staple horse"}
        return httpx.post(f"{tenant.base_url}/api/v1/invitations/accept", json=body, timeout=60)

    used, withdrawn = invite(), invite()
    assert tenant.client.delete(f"/api/v1/invitations/{withdrawn['id']}").status_code == 204
    assert accept(used["token"]).status_code == 201
    forged = used["token"][:-4] + "AAAA"
    for token in (used["token"], withdrawn["token"], forged, "x", tenant.refresh_token):
        answer = accept(token)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_LINK"), token
    assert "token" not in tenant.client.get("/api/v1/invitations").text


def test_somebody_with_an_account_joins_with_their_password_and_belongs_to_two_tenants(
    new_tenant: Callable[..., Tenant],
) -> None:
    first, second = new_tenant(), new_tenant()
    invited = second.client.post("/api/v1/invitations", json={"email": first.email.upper(), "role": "admin"}).json()
    url = f"{first.base_url}/api/v1"
    wrong = httpx.post(f"{url}/invitations/accept", json={"token": invited["token"], "password": "not the right one"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "BAD_CREDENTIALS")
    body = {"token": invited["token"], "password": first.password}
    joined = httpx.post(f"{url}/invitations/accept", json=body)
    assert (joined.status_code, joined.json()["tenant"]["id"]) == (201, second.id)
    tenants = first.client.get("/api/v1/users/me/tenants").json()["data"]
    assert [(row["id"], row["role"], row["current"]) for row in tenants] == [
        (first.id, "owner", True),
        (second.id, "admin", False),
    ]
    for chosen, expected in (("", first.id), (first.id, first.id), (second.id, second.id)):
        login = {"email": first.email, "password": first.password, "tenant_id": chosen}
        token = httpx.post(f"{url}/auth/token", json=login).json()["access_token"]
        me = httpx.get(f"{url}/tenants/me", headers={"Authorization": f"Bearer {token}"})
        assert me.json()["id"] == expected
    stranger = new_tenant()
    login = {"email": first.email, "password": first.password, "tenant_id": stranger.id}
    assert httpx.post(f"{url}/auth/token", json=login).status_code == 401
    again = second.client.post("/api/v1/invitations", json={"email": first.email, "role": "viewer"})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_MEMBER")


def test_a_changed_role_is_in_force_within_a_second_for_tokens_and_keys(tenant: Tenant) -> None:
    grace = join(tenant, "developer")
    key = grace.client.post("/api/v1/api-keys", json={"name": "mine"}).json()["key"]
    by_key = httpx.Client(base_url=tenant.base_url, headers={"x-api-key": key}, timeout=60)
    upload = {"text": f"A line {uuid4()}.", "title": "t"}
    for client in (grace.client, by_key):
        # The second time the document is there already.
        assert client.post("/api/v1/services/rag/documents", json=upload).status_code in (200, 202)
    change = tenant.client.patch(f"/api/v1/users/{grace.user_id}", json={"role": "viewer"})
    assert change.json()["role"] == "viewer"
    within_a_second(
        lambda: all(
            client.post("/api/v1/services/rag/documents", json=upload).status_code == 403
            for client in (grace.client, by_key)
        )
    )
    tenant.client.patch(f"/api/v1/users/{grace.user_id}", json={"role": "admin"}).raise_for_status()
    within_a_second(lambda: grace.client.get("/api/v1/users").status_code == 200)


def test_a_removed_member_is_out_within_a_second_with_sessions_and_keys(tenant: Tenant) -> None:
    grace = join(tenant, "developer")
    key = grace.client.post("/api/v1/api-keys", json={"name": "mine"}).json()["key"]
    by_key = httpx.Client(base_url=tenant.base_url, headers={"x-api-key": key}, timeout=60)
    assert by_key.get("/api/v1/users/me").status_code == 200
    assert tenant.client.delete(f"/api/v1/users/{grace.user_id}").status_code == 204
    within_a_second(lambda: all(client.get("/api/v1/users/me").status_code == 401 for client in (grace.client, by_key)))
    login = {"email": grace.email, "password": grace.password}
    assert grace.client.post("/api/v1/auth/token", json=login).status_code == 401
    assert tenant.client.get(f"/api/v1/users/{grace.user_id}").status_code == 404


def test_nobody_gives_or_takes_what_is_above_them(tenant: Tenant) -> None:
    admin, viewer = join(tenant, "admin"), join(tenant, "viewer")
    owner_id = tenant.client.get("/api/v1/users/me").json()["id"]
    keys = {"name": "members", "scopes": ["members:manage"]}
    key = tenant.client.post("/api/v1/api-keys", json=keys).json()["key"]
    by_key = httpx.Client(base_url=tenant.base_url, headers={"x-api-key": key}, timeout=60)
    refused = [
        admin.client.patch(f"/api/v1/users/{admin.user_id}", json={"role": "owner"}),
        admin.client.patch(f"/api/v1/users/{owner_id}", json={"role": "viewer"}),
        admin.client.delete(f"/api/v1/users/{owner_id}"),
        admin.client.post("/api/v1/invitations", json={"email": "x@example.com", "role": "owner"}),
        admin.client.post("/api/v1/tenants/me/transfer", json={"user_id": admin.user_id}),
        # A key that may manage members, and nothing else, gives nobody what it lacks itself.
        by_key.patch(f"/api/v1/users/{viewer.user_id}", json={"role": "developer"}),
        by_key.post("/api/v1/invitations", json={"email": "x@example.com", "role": "viewer"}),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_NOT_GRANTABLE"), answer.text
    for client in (viewer.client, by_key):
        assert client.post("/api/v1/tenants/me/transfer", json={"user_id": viewer.user_id}).status_code == 403
    odd = tenant.client.patch(f"/api/v1/users/{viewer.user_id}", json={"role": "root"})
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (422, "role")


def test_the_last_owner_stays_until_somebody_else_is_owner(tenant: Tenant) -> None:
    owner_id = tenant.client.get("/api/v1/users/me").json()["id"]
    for answer in (
        tenant.client.post("/api/v1/tenants/me/leave"),
        tenant.client.delete(f"/api/v1/users/{owner_id}"),
        tenant.client.patch(f"/api/v1/users/{owner_id}", json={"role": "admin"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "LAST_OWNER"), answer.text
    heir = join(tenant, "viewer")
    handed = tenant.client.post("/api/v1/tenants/me/transfer", json={"user_id": heir.user_id})
    assert handed.json()["role"] == "owner"
    within_a_second(lambda: heir.client.get("/api/v1/users").status_code == 200)
    assert tenant.client.get("/api/v1/users/me").json()["role"] == "admin"
    assert tenant.client.post("/api/v1/tenants/me/leave").status_code == 204
    within_a_second(lambda: tenant.client.get("/api/v1/users/me").status_code == 401)
    assert [member["role"] for member in heir.client.get("/api/v1/users").json()["data"]] == ["owner"]


def test_sessions_are_listed_and_ended_one_by_one_by_their_user_only(
    new_tenant: Callable[..., Tenant], platform: Platform
) -> None:
    tenant, stranger = new_tenant(), new_tenant()
    login = {"email": tenant.email, "password": tenant.password}
    other = httpx.post(f"{platform.base_url}/api/v1/auth/token", json=login).json()
    listed = tenant.client.get("/api/v1/users/me/sessions").json()["data"]
    assert sorted(session["current"] for session in listed) == [False, True]
    assert {session["tenant_id"] for session in listed} == {tenant.id}
    ended = next(session["id"] for session in listed if not session["current"])
    assert stranger.client.delete(f"/api/v1/users/me/sessions/{ended}").status_code == 404
    assert tenant.client.delete(f"/api/v1/users/me/sessions/{ended}").status_code == 204
    headers = {"Authorization": f"Bearer {other['access_token']}"}
    within_a_second(lambda: httpx.get(f"{platform.base_url}/api/v1/users/me", headers=headers).status_code == 401)
    again = {"grant_type": "refresh_token", "refresh_token": other["refresh_token"]}
    assert httpx.post(f"{platform.base_url}/api/v1/auth/token", json=again).status_code == 401
    assert tenant.client.get("/api/v1/users/me").status_code == 200
    with tenant.with_key() as by_key:
        for path in ("/api/v1/users/me/sessions", "/api/v1/users/me/tenants"):
            assert by_key.get(path).json()["code"] == "SESSION_NEEDED"
        change = {"password": "battery staple horse", "current_password": tenant.password}
        assert by_key.put("/api/v1/users/me", json=change).json()["code"] == "SESSION_NEEDED"


@pytest.mark.parametrize("password", ["password123", "Passw0rd!", "qwertyuiop", "letmein123", "iloveyou1", "short"])
def test_the_first_that_a_guesser_tries_is_no_password(platform: Platform, password: str) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": password}
    answer = httpx.post(f"{platform.base_url}/api/v1/auth/register", json=body, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "WEAK_PASSWORD")
    assert answer.json()["errors"][0]["field"] == "password"
    assert password not in answer.text


def test_a_forgotten_password_is_asked_for_alike_whether_there_is_an_account(tenant: Tenant) -> None:
    url = f"{tenant.base_url}/api/v1/auth/password-reset"
    known = httpx.post(url, json={"email": tenant.email})
    unknown = httpx.post(url, json={"email": f"{uuid4().hex}@example.com"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert known.status_code == 202
    bad = httpx.post(f"{url}/confirm", json={"token": "x" * 64, "password": "battery staple horse"})
    assert (bad.status_code, bad.json()["code"]) == (422, "BAD_LINK")
