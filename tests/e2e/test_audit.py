"""The audit log as a tenant's admin and an operator read it, over HTTP."""

import csv
import hashlib
import io
import json

import httpx

from tests.e2e.conftest import Tenant


def test_what_services_do_is_told_with_who_and_where(tenant: Tenant) -> None:
    document = tenant.client.post("/api/v1/services/rag/documents", json={"text": "Soon gone."}).json()["id"]
    tenant.client.get(f"/api/v1/services/rag/documents/{document}?wait=30")
    headers = {"X-Request-Id": "the-deletion"}
    assert tenant.client.delete(f"/api/v1/services/rag/documents/{document}", headers=headers).status_code == 204
    rows = tenant.client.get("/api/v1/audit?action=document").raise_for_status().json()["data"]
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("document.delete", "done"),
        ("document.delete", "requested"),
    ]
    assert {(row["resource_id"], row["request_id"]) for row in rows} == {(document, "the-deletion")}
    assert rows[0]["actor"]["kind"] == "user"
    assert rows[0]["address"]
    again = tenant.client.delete(f"/api/v1/services/rag/documents/{document}")
    assert again.status_code == 404
    (row, *_) = tenant.client.get("/api/v1/audit?action=document").json()["data"]
    assert (row["outcome"], row["after"]) == ("refused", {"reason": again.json()["code"]})


def test_a_row_is_there_when_the_answer_is(tenant: Tenant) -> None:
    made = tenant.client.post("/api/v1/services/rag/collections", json={"name": "contracts"}).json()
    (row, *_) = tenant.client.get("/api/v1/audit?action=collection.create").json()["data"]
    assert (row["resource_id"], row["after"], row["outcome"]) == (made["id"], {"name": "contracts"}, "done")


def test_it_needs_its_scope_and_bad_filters_are_400(tenant: Tenant) -> None:
    with tenant.with_key() as by_key:
        for path in ("/api/v1/audit", "/api/v1/audit/export"):
            refused = by_key.get(path)
            assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    body = {"name": "auditor", "scopes": ["audit:read"]}
    key = tenant.client.post("/api/v1/api-keys", json=body).json()["key"]
    with httpx.Client(base_url=tenant.base_url, headers={"x-api-key": key}) as auditor:
        (row, *_) = auditor.get("/api/v1/audit").raise_for_status().json()["data"]
        assert row["action"] == "api_key.create"
        for wrong in ("from=yesterday", "cursor=x", "limit=1000"):
            assert auditor.get(f"/api/v1/audit?{wrong}").status_code == 400, wrong


def test_the_export_proves_itself_in_both_forms(tenant: Tenant) -> None:
    tenant.client.put("/api/v1/tenants/me", json={"name": "=HYPERLINK(0)"}).raise_for_status()
    text = tenant.client.get("/api/v1/audit/export").raise_for_status().text
    *lines, last = text.splitlines()
    previous = "0" * 64
    for line in lines:
        document, _, hashed = line.rpartition(',"hash":"')
        assert json.loads(line)["previous"] == previous
        previous = hashlib.sha256((document + "}").encode()).hexdigest()
        assert hashed == previous + '"}'
    head = json.loads(last)["head"]
    assert (head["sequence"], head["hash"], head["tenant_id"]) == (len(lines), previous, tenant.id)
    assert len(head["signature"]) == 64
    table = tenant.client.get("/api/v1/audit/export?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["sequence"] for row in rows] == [str(json.loads(line)["sequence"]) for line in lines]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_operators_read_a_tenants_log_and_the_platforms(tenant: Tenant, operator: httpx.Client) -> None:
    found = operator.get("/api/v1/admin/audit", params={"tenant_id": tenant.id}).raise_for_status().json()["data"]
    assert {row["tenant_id"] for row in found} == {tenant.id}
    assert "operator" in {row["actor"]["kind"] for row in found}
    (first, *_) = operator.get("/api/v1/admin/audit?action=operator").raise_for_status().json()["data"]
    assert first["action"] == "operator.create"
