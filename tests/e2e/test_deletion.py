"""A tenant is deleted: closed at once, removed from every service, and nothing is found with its ids afterwards."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import redis

from tests.e2e.conftest import Colleague, Platform, Tenant, join
from tests.promptness import PATIENCE, PROMPT
from usage_service.service.erasure import account_of

STAYS = {
    ("aisp_auth", "audit_events"): "evidence, which outlives the tenant",
    ("aisp_auth", "audit_heads"): "evidence",
    ("aisp_auth", "deletions"): "that it was deleted",
    ("aisp_auth", "changes"): "ids for gateways, for an hour",
}
"""Where the id of a deleted tenant may be found, and why (docs/decisions/0008)."""


def wait_until_gone(platform: Platform, deletion_id: str, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        told: dict[str, Any] = (
            httpx.get(f"{platform.base_url}/api/v1/deletions/{deletion_id}").raise_for_status().json()
        )
        if told["status"] == "done":
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.3)


def used(tenant: Tenant) -> dict[str, Any]:
    """With documents, keys, members, budgets, webhooks, stored answers and usage; its id, and what else names it."""
    document = {"text": "The warranty lasts two years.", "title": "Warranty"}
    made = tenant.client.post("/api/v1/services/rag/documents", json=document).raise_for_status().json()
    tenant.client.get(f"/api/v1/services/rag/documents/{made['id']}?wait=60").raise_for_status()
    file = {"file": ("a.txt", b"It is void if the kettle is opened.")}
    kept = tenant.client.post("/v1/files", files=file, data={"purpose": "user_data"}).raise_for_status().json()
    store = tenant.client.post("/v1/vector_stores", json={"file_ids": [kept["id"]]}).raise_for_status().json()
    path = f"/v1/vector_stores/{store['id']}/files/{kept['id']}"
    while tenant.client.get(path).raise_for_status().json()["status"] == "in_progress":
        time.sleep(0.1)
    body = {"model": "local/smollm2-135m-instruct", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Idempotency-Key": uuid4().hex}
    with tenant.with_key() as by_key:
        by_key.post("/v1/chat/completions", json=body, headers=headers).raise_for_status()
        by_key.post("/v1/embeddings", json={"model": "local/all-minilm-l6-v2", "input": "Hi"}).raise_for_status()
    budget = {"name": "all", "amount": 50_000_000_000, "measure": "cost_nano_usd", "period": "month"}
    tenant.client.post("/api/v1/budgets", json=budget).raise_for_status()
    hook = {"url": "https://example.com/hooks", "event_types": ["budget.exhausted"]}
    tenant.client.post("/api/v1/webhooks", json=hook).raise_for_status()
    tenant.client.post("/api/v1/invitations", json={"email": f"{uuid4().hex}@example.com", "role": "viewer"})
    deadline = time.monotonic() + PATIENCE
    while tenant.client.get("/api/v1/usage/summary").json()["totals"]["requests"] < 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return dict(made)


def test_an_owner_deletes_the_tenant_and_nothing_is_left(
    platform: Platform, operator: httpx.Client, new_tenant: Callable[..., Tenant]
) -> None:
    tenant, stranger = new_tenant(), new_tenant()
    document = used(tenant)
    used(stranger)
    colleague = join(tenant, "admin")
    before = tenant.client.get("/api/v1/usage/summary").json()["totals"]
    deletion_id = close(tenant, colleague)
    told = wait_until_gone(platform, deletion_id)
    removed = {row["name"]: row["removed"] for row in told["services"]}
    assert (removed["rag"]["documents"], removed["rag"]["files"], removed["rag"]["collections"]) == (2, 1, 2)
    assert removed["rag"]["objects"] == 4
    assert removed["usage"]["webhooks"] == 1
    assert removed["usage"]["ledger_rows"] >= 3
    assert removed["auth"]["users"] == 2
    assert "stored_answers" in {name for row in removed.values() for name in row}
    assert all(row["done"] and row["error"] is None for row in told["services"])

    if platform.directory is not None:
        needles = [tenant.id, document["id"], tenant.email, colleague.email, tenant.key.split("_")[2]]
        assert_no_trace(platform, tenant.id, needles)
        account = account_of(deletion_id)
        assert asyncio.run(requests_of(platform, account)) == before["requests"]
    assert_nobody_gets_in(platform, tenant)

    # The neighbour has all that it had.
    assert len(stranger.client.get("/api/v1/services/rag/documents").json()["data"]) == 2
    assert stranger.client.get("/api/v1/usage/summary").json()["totals"]["requests"] >= 3

    # Operators: the tenant is gone, its log tells the end of it, the books balance.
    assert operator.get(f"/api/v1/admin/tenants/{tenant.id}").status_code == 404
    log = operator.get("/api/v1/admin/audit", params={"tenant_id": tenant.id}).json()["data"]
    assert [row["action"] for row in log[:3]] == ["tenant.erase", "tenant.erase", "tenant.delete"]
    listed = operator.get("/api/v1/admin/deletions").json()["data"]
    assert (deletion_id, tenant.id, "done") in {(row["id"], row["tenant_id"], row["status"]) for row in listed}
    assert operator.get("/api/v1/usage/invariants").json()["balanced"]


def close(tenant: Tenant, colleague: Colleague) -> str:
    """By its owner only, who means it; closed for all within a second. The deletion's id."""
    path = "/api/v1/tenants/me/deletion"

    wrong = [({"confirm": "Engine", "password": tenant.password}, 422, "NOT_CONFIRMED"),
             ({"confirm": "Engines", "password": "not mine at all"}, 401, "BAD_CREDENTIALS")]  # fmt: skip
    for body, status, code in wrong:
        answer = tenant.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    meant = {"confirm": "Engines", "password": tenant.password}
    refused = colleague.client.post(path, json=meant | {"password": colleague.password})
    assert (refused.status_code, refused.json()["code"]) == (403, "OWNER_ONLY")
    made = tenant.client.post(path, json=meant)
    assert made.status_code == 202, made.text
    asked = time.monotonic()

    with tenant.with_key() as by_key:
        for client in (tenant.client, colleague.client, by_key):
            while (answer := client.get("/api/v1/tenants/me")).status_code == 200:
                assert time.monotonic() - asked < PROMPT, "closed within a second"
                time.sleep(0.01)
            assert (answer.status_code, answer.json()["code"]) in (
                (403, "TENANT_DELETED"), (401, "SESSION_ENDED"), (401, "BAD_API_KEY"))  # fmt: skip
    return str(made.json()["id"])


def assert_nobody_gets_in(platform: Platform, tenant: Tenant) -> None:
    """By whatever; and the address is free."""
    for body in ({"email": tenant.email, "password": tenant.password},
                 {"grant_type": "refresh_token", "refresh_token": tenant.refresh_token}):  # fmt: skip
        assert httpx.post(f"{platform.base_url}/api/v1/auth/token", json=body).status_code == 401
    for header in ({"Authorization": f"Bearer {tenant.token}"}, {"x-api-key": tenant.key}):
        assert httpx.get(f"{platform.base_url}/v1/models", headers=header).status_code == 401
    again = {"email": tenant.email, "password": f"another horse {uuid4().hex}"}
    registered = httpx.post(f"{platform.base_url}/api/v1/auth/register", json=again, timeout=30)
    assert registered.status_code == 201, registered.text


def assert_no_trace(platform: Platform, tenant_id: str, needles: list[str]) -> None:
    """In any table, store or folder, but for the log, which is whole."""
    assert platform.directory is not None
    assert asyncio.run(rows_with(platform, needles)) == []
    assert list(keys_with(platform, tenant_id)) == []
    assert list((platform.directory / "objects").rglob(f"*{tenant_id}*")) == []
    done = verify_chain(platform, tenant_id)
    assert (done.returncode, "whole" in done.stdout) == (0, True), done.stdout


def test_an_operator_deletes_a_tenant(operator: httpx.Client, platform: Platform, tenant: Tenant) -> None:
    path = f"/api/v1/admin/tenants/{tenant.id}/deletion"
    assert operator.post(path, json={"confirm": "Other"}).json()["code"] == "NOT_CONFIRMED"
    made = operator.post(path, json={"confirm": "Engines"})
    assert made.status_code == 202
    # To ask twice is to ask how far it is.
    assert operator.post(path, json={"confirm": "Engines"}).json()["id"] == made.json()["id"]
    changed = operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"status": "active"})
    assert changed.json()["code"] in ("TENANT_DELETED", "TENANT_NOT_FOUND")
    wait_until_gone(platform, made.json()["id"])
    assert operator.post(path, json={"confirm": "Engines"}).status_code == 404
    assert operator.delete(path).json()["code"] == "DELETION_BEGUN"


def test_the_operators_own_tenant_stays(operator: httpx.Client) -> None:
    me = operator.get("/api/v1/tenants/me").json()
    refused = operator.post(f"/api/v1/admin/tenants/{me['id']}/deletion", json={"confirm": me["name"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "OPERATORS_TENANT")


@pytest.mark.parametrize("name", [str(UUID(int=5)), "x", "'; --"])
def test_a_deletion_that_is_not_there(platform: Platform, name: str) -> None:
    answer = httpx.get(f"{platform.base_url}/api/v1/deletions/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "DELETION_NOT_FOUND")


async def rows_with(platform: Platform, needles: list[str]) -> list[tuple[str, str, str]]:
    """Where in any table of any database one of these stands, as the server's administrator sees them."""
    found = []
    for database in ("aisp_auth", "aisp_usage", "aisp_rag", "aisp_llm"):
        connection = await asyncpg.connect(dsn(platform, database))
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables:
                for needle in needles:
                    query = f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE $1'  # noqa: S608  # names of tables
                    if (database, table) not in STAYS and await connection.fetchval(query, f"%{needle}%"):
                        found.append((database, table, needle))
        finally:
            await connection.close()
    return found


async def requests_of(platform: Platform, account: str) -> int:
    connection = await asyncpg.connect(dsn(platform, "aisp_usage"))
    try:
        query = "SELECT coalesce(sum(requests), 0)::bigint FROM rollups WHERE tenant_id = $1"
        return int(await connection.fetchval(query, UUID(account)))
    finally:
        await connection.close()


def dsn(platform: Platform, database: str) -> str:
    assert platform.directory is not None
    password = (platform.directory / "secrets" / "postgres_admin_password").read_text()
    return f"postgresql://aisp_admin:{password}@127.0.0.1:{_port(platform, 'postgres')}/{database}"


def keys_with(platform: Platform, tenant_id: str) -> Iterator[str]:
    """Keys of either store that name the tenant. Entries of the meter's streams do until they are trimmed."""
    assert platform.directory is not None
    for name in ("valkey-meter", "valkey-cache"):
        password = (platform.directory / "secrets" / name).read_text()
        with redis.Redis(port=_port(platform, name), password=password) as client:
            yield from (key.decode() for key in client.scan_iter(match=f"*{tenant_id}*", count=1000))


def _port(platform: Platform, process: str) -> int:
    """Out of the command line, which a server may have written anew."""
    pids = platform.run["pids"]
    assert isinstance(pids, dict)
    words = Path(f"/proc/{pids[process]}/cmdline").read_bytes().decode()
    found = re.search(r"(?:\0-p\0|--port\0|127\.0\.0\.1:)(\d+)", words)
    assert found, words
    return int(found[1])


def verify_chain(platform: Platform, tenant_id: str) -> "subprocess.CompletedProcess[str]":
    """The command, with the environment of the running auth service."""
    pids = platform.run["pids"]
    assert isinstance(pids, dict)
    told = Path(f"/proc/{pids['auth_service']}/environ").read_bytes().decode().split("\0")
    environment = dict(pair.split("=", 1) for pair in told if "=" in pair)
    program = Path(f"/proc/{pids['auth_service']}/cmdline").read_bytes().decode().split("\0")[0]
    command = [program, "-m", "auth_service", "audit", "verify", "--tenant", tenant_id]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
