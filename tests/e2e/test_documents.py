"""A document of theirs is answered with citations."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.conftest import Tenant
from tests.standins.files import pdf

TEXT = (
    "The Falcon vacuum cleaner has a warranty of three years. The warranty covers the motor and the battery.\n\n"
    "Returns are accepted within thirty days. The café in the lobby sells 🍰 and tea."
)


def upload(tenant: Tenant, **body: Any) -> dict[str, Any]:
    made = tenant.client.post("/api/v1/services/rag/documents", json={"text": TEXT, "title": "Falcon"} | body)
    assert made.status_code == 202, made.text
    assert made.json()["status"] == "queued"
    ready = tenant.client.get(f"/api/v1/services/rag/documents/{made.json()['id']}?wait=30").json()
    assert ready["status"] == "ready", ready
    document: dict[str, Any] = ready
    return document


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(b.split("\n")[0].removeprefix("event: "), json.loads(b.split("\n")[1][6:])) for b in blocks]


def test_upload_search_and_delete(tenant: Tenant) -> None:
    document = upload(tenant, metadata={"year": 2026})
    path = f"/api/v1/services/rag/documents/{document['id']}"
    text = tenant.client.get(f"{path}/text")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text == TEXT
    for mode in ("dense", "lexical", "hybrid"):
        found = tenant.client.post(
            "/api/v1/services/rag/search", json={"query": "How long is the warranty?", "mode": mode}
        ).json()["results"]
        assert found[0]["document_id"] == document["id"], mode
        assert found[0]["text"] == TEXT[found[0]["start"] : found[0]["end"]]
        assert found[0]["metadata"] == {"year": 2026}
    by_query = tenant.client.post("/api/v1/services/rag/search", params={"query": "warranty", "top_k": 1})
    assert len(by_query.json()["results"]) == 1
    assert tenant.client.delete(path).status_code == 204
    assert tenant.client.get(path).status_code == 404
    assert tenant.client.post("/api/v1/services/rag/search", json={"query": "warranty"}).json()["results"] == []


def test_filters(tenant: Tenant) -> None:
    upload(tenant, title="old", metadata={"year": 2020, "kind": "a"})
    upload(tenant, title="new", metadata={"year": 2026, "kind": "b"})

    def titles(wanted: dict[str, Any]) -> set[str]:
        body = {"query": "warranty", "filter": wanted}
        answer = tenant.client.post("/api/v1/services/rag/search", json=body)
        assert answer.status_code == 200, answer.text
        return {row["title"] for row in answer.json()["results"]}

    recent = {"op": "gt", "field": "year", "value": 2021}
    assert titles(recent) == {"new"}
    assert titles({"op": "or", "filters": [recent, {"op": "eq", "field": "kind", "value": "a"}]}) == {"old", "new"}
    assert titles({"op": "in", "field": "kind", "value": ["a"]}) == {"old"}
    bad = tenant.client.post("/api/v1/services/rag/search", json={"query": "x", "filter": {"op": "like"}})
    assert (bad.status_code, bad.json()["code"]) == (422, "BAD_FILTER")


def test_an_answer_cites_the_very_words(tenant: Tenant) -> None:
    document = upload(tenant)
    answer = tenant.client.post(
        "/api/v1/services/rag/generate", json={"query": "How long is the warranty of the Falcon?"}
    ).json()
    assert answer["state"] in ("answered", "partial")
    assert answer["answer"] == answer["message"]["content"]
    assert answer["citations"]
    for citation in answer["citations"]:
        assert citation["document_id"] == document["id"]
        assert citation["quote"] == TEXT[citation["start"] : citation["end"]]
        assert f"[{citation['number']}]" in answer["answer"]


def test_a_streamed_answer(tenant: Tenant) -> None:
    upload(tenant)
    body = {"messages": [{"role": "user", "content": "What does the warranty cover?"}], "stream": True}
    with tenant.client.stream("POST", "/api/v1/services/rag/chat", json=body) as response:
        told = events(response.read().decode())
    names = [name for name, _ in told]
    assert names[0] == "citations"
    assert names[-1] == "done"
    assert "delta" in names
    assert told[-1][1]["message"]["content"]


def test_the_first_documentations_examples_work_in_an_empty_tenant(tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.token}"}
    found = httpx.post(
        f"{tenant.base_url}/api/v1/services/rag/search",
        params={"query": "What is machine learning?", "top_k": 5},
        headers=headers,
    )
    assert found.json()["results"] == []
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Explain quantum computing."},
    ]
    answer = httpx.post(
        f"{tenant.base_url}/api/v1/services/rag/chat", json={"messages": messages}, headers=headers, timeout=120
    ).json()
    assert answer["state"] == "ungrounded"
    assert answer["citations"] == []
    assert answer["message"]["content"]
    silent = tenant.client.post("/api/v1/services/rag/generate", json={"query": "What is it?"}).json()
    assert silent["state"] == "abstained"


def test_collections_keep_documents_apart(tenant: Tenant) -> None:
    made = tenant.client.post("/api/v1/services/rag/collections", json={"name": "contracts"})
    assert made.status_code == 201
    assert tenant.client.post("/api/v1/services/rag/collections", json={"name": "contracts"}).status_code == 409
    upload(tenant, collection="contracts")
    assert tenant.client.post("/api/v1/services/rag/search", json={"query": "warranty"}).json()["results"] == []
    names = {row["name"] for row in tenant.client.get("/api/v1/services/rag/collections").json()["data"]}
    assert names == {"default", "contracts"}
    named = tenant.client.post("/api/v1/services/rag/collections", json={"name": "Contracts.2026"})
    assert named.status_code == 201, named.text
    path = "/api/v1/services/rag/collections/contracts"
    assert (tenant.client.get(path).json()["id"], tenant.client.get(path).json()["documents"]) == (made.json()["id"], 1)
    assert tenant.client.patch(path, json={"description": "Signed ones."}).json()["documents"] == 1
    assert tenant.client.get(f"{path}-2").status_code == 404
    for path, body in (("search", {"query": "x"}), ("generate", {"query": "x"}), ("documents", {"text": "x"})):
        answer = tenant.client.post(f"/api/v1/services/rag/{path}", json=body | {"collection": "nope"})
        assert (answer.status_code, answer.json()["code"]) == (404, "COLLECTION_NOT_FOUND"), path


def test_files_of_other_kinds(tenant: Tenant) -> None:
    html = b"<html><body><h1>Opening hours</h1><p>The library opens at nine.</p></body></html>"
    made = tenant.client.post("/api/v1/services/rag/documents", files={"file": ("hours.html", html, "text/html")})
    ready = tenant.client.get(f"/api/v1/services/rag/documents/{made.json()['id']}?wait=30").json()
    assert ready["status"] == "ready", ready
    assert "<p>" not in tenant.client.get(f"/api/v1/services/rag/documents/{ready['id']}/text").text
    pages = [["", "The Kestrel pump has a warranty of three years."], ["", "The Heron pump weighs forty kilograms."]]
    made = tenant.client.post("/api/v1/services/rag/documents", files={"file": ("pumps.pdf", pdf(pages))})
    tenant.client.get(f"/api/v1/services/rag/documents/{made.json()['id']}?wait=30")
    found = tenant.client.post("/api/v1/services/rag/search", json={"query": "When does the library open?"})
    assert found.json()["results"][0]["heading"] == "Opening hours"
    asked = {"query": "How many kilograms does the Heron pump weigh?"}
    assert tenant.client.post("/api/v1/services/rag/search", json=asked).json()["results"][0]["page"] == 2
    cited = tenant.client.post("/api/v1/services/rag/generate", json=asked).json()["citations"]
    assert [(row["page"], row["quote"]) for row in cited] == [(2, pages[1][1])]
    text = "東京タワーの高さは333メートルです。1958年に完成しました。北京是首都。"
    upload(tenant, title="塔", text=text)
    asked = {"query": "タワーの高さは。", "mode": "lexical"}
    (row,) = tenant.client.post("/api/v1/services/rag/search", json=asked).json()["results"]
    assert row["title"] == "塔"
    named = f"{'long ' * 800}.pdf"
    made = tenant.client.post("/api/v1/services/rag/documents", files={"file": (named, pdf(pages), "text/plain")})
    assert made.json()["file_name"] == named[:251] + ".pdf"
    assert tenant.client.get(f"/api/v1/services/rag/documents/{made.json()['id']}?wait=30").json()["status"] == "ready"
    broken = tenant.client.post("/api/v1/services/rag/documents", files={"file": ("a.pdf", b"%PDF-1.4 broken")})
    failed = tenant.client.get(f"/api/v1/services/rag/documents/{broken.json()['id']}?wait=30").json()
    assert failed["status"] == "failed"
    assert failed["error"]


def test_bad_uploads(tenant: Tenant) -> None:
    path = "/api/v1/services/rag/documents"
    assert tenant.client.post(path, files={"file": ("a.txt", b"")}).json()["code"] == "EMPTY_DOCUMENT"
    assert tenant.client.post(path, json={"text": ""}).json()["code"] == "EMPTY_DOCUMENT"
    assert tenant.client.post(path, json={"text": "x", "nope": 1}).status_code == 422
    assert tenant.client.post(path, content=b"x", headers={"content-type": "image/png"}).status_code == 415
    assert tenant.client.post(path, files={"file": ("a.txt", b"x")}, data={"metadata": "[1]"}).status_code == 422
    unknown = tenant.client.post(path, files={"file": ("a.txt", b"x")}, data={"colection": "contracts"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "colection"
    told = tenant.client.post(path, json={"text": "x", "metadata": {"tags": ["a"]}}).json()["errors"]
    assert told == [{"field": "metadata.tags", "message": "must be a text, a number, true or false"}]
    huge = tenant.client.post(path, files={"file": ("a.txt", b"x" * (33 * 1024 * 1024))})
    assert huge.status_code == 413


def test_stored_bytes_are_metered_and_given_back(new_tenant: Callable[..., Tenant], operator: httpx.Client) -> None:
    tenant = new_tenant()
    document = upload(tenant)
    size = len(TEXT.encode())
    limits = {row["name"]: row for row in tenant.client.get("/api/v1/usage/limits").json()["data"]}
    assert limits["storage_bytes"]["used"] == size
    operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": {"storage_bytes": size + 10}})
    full = tenant.client.post("/api/v1/services/rag/documents", json={"text": TEXT})
    assert (full.status_code, full.json()["limit"]) == (429, "storage_bytes")
    assert "elete documents" in full.json()["detail"]
    assert "retry-after" not in full.headers
    assert full.headers["x-should-retry"] == "false"
    tenant.client.delete(f"/api/v1/services/rag/documents/{document['id']}")
    limits = {row["name"]: row for row in tenant.client.get("/api/v1/usage/limits").json()["data"]}
    assert limits["storage_bytes"]["used"] == 0


def test_search_is_measured_on_questions_with_known_answers(tenant: Tenant) -> None:
    texts = {
        "warranty": "The warranty of every device lasts two years from the day of purchase.",
        "returns": "Goods may be sent back within thirty days; the customer pays for the parcel.",
        "opening": "The shop in Vienna is open from nine to six, and closed on Sundays.",
    }
    ids = {}
    for name, text in texts.items():
        made = tenant.client.post("/api/v1/services/rag/documents", json={"text": text, "title": name})
        ids[name] = made.raise_for_status().json()["id"]
        tenant.client.get(f"/api/v1/services/rag/documents/{ids[name]}?wait=30").raise_for_status()
    golden = [
        {"query": "How long is a device under warranty?", "relevant": [ids["warranty"]]},
        {"query": "Who pays when I send something back?", "relevant": [ids["returns"]]},
        {"query": "When is the shop closed?", "relevant": [ids["opening"]]},
    ]
    answer = tenant.client.post("/api/v1/services/rag/evaluations", json={"queries": golden})
    found = answer.raise_for_status().json()
    assert found["queries"] == 3
    assert {row["mode"] for row in found["modes"]} == {"hybrid", "dense", "lexical"}
    assert found["modes"][0]["ndcg_at_10"] == found["modes"][0]["recall_at_100"] == found["modes"][0]["mrr"] == 1.0
    miss = [{"query": "zebra", "relevant": [ids["warranty"].upper()]}]
    only = {"queries": miss, "modes": ["lexical"]}
    assert tenant.client.post("/api/v1/services/rag/evaluations", json=only).json()["modes"] == [
        {"mode": "lexical", "ndcg_at_10": 0.0, "recall_at_100": 0.0, "mrr": 0.0}
    ]
    # A golden set that has grown old is told so: its misses would say nothing of the search.
    gone = ["00000000-0000-4000-8000-000000000000", "no-id"]
    old = tenant.client.post(
        "/api/v1/services/rag/evaluations", json={"queries": [golden[0], {"query": "x", "relevant": gone}]}
    )
    assert (old.status_code, old.json()["errors"][0]["field"]) == (422, "queries")
    assert all(name in old.json()["detail"] for name in gone)
    refused = tenant.client.post("/api/v1/services/rag/evaluations", json={"queries": []})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "queries")
