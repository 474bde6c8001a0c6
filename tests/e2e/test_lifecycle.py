"""A document's life: watched, cancelled, tried again, replaced, deleted, and then looked for."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.conftest import Tenant
from tests.e2e.test_documents import events, upload
from tests.promptness import PATIENCE

DOCUMENTS = "/api/v1/services/rag/documents"
WORDS = ("harbour", "lantern", "meadow", "granite", "willow", "copper", "falcon", "orchard", "tunnel", "violet")


def story(seed: int, paragraphs: int) -> str:
    """Paragraphs that no other has."""

    def sentence(paragraph: int, place: int) -> str:
        subject = WORDS[(seed + paragraph * 7 + place) % 10]
        return f"{subject} number {paragraph} of story {seed} stands by the {WORDS[place % 10]}."

    return "\n\n".join(" ".join(sentence(n, k) for k in range(9)) for n in range(paragraphs))


def wait(tenant: Tenant, document_id: str, seconds: int = 60) -> dict[str, Any]:
    document: dict[str, Any] = tenant.client.get(f"{DOCUMENTS}/{document_id}?wait={seconds}").json()
    return document


def stored(tenant: Tenant) -> int:
    limits = {row["name"]: row for row in tenant.client.get("/api/v1/usage/limits").json()["data"]}
    return int(limits["storage_bytes"]["used"])


def found_by(tenant: Tenant, query: str, **body: Any) -> list[dict[str, Any]]:
    answer = tenant.client.post("/api/v1/services/rag/search", json={"query": query, "top_k": 50} | body)
    rows: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
    return rows


def test_an_ingestion_is_watched_to_its_end(tenant: Tenant) -> None:
    hook = tenant.client.post("/api/v1/webhooks", json={"url": "https://example.com/hooks"}).json()
    made = tenant.client.post(DOCUMENTS, json={"text": story(1, 60), "title": "Watched"}).json()
    with tenant.client.stream("GET", f"{DOCUMENTS}/{made['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = events(response.read().decode())
    assert {name for name, _ in told[:-1]} == {"progress"}
    assert told[-1][0] == "done"
    assert told[-1][1]["status"] == "ready"
    shares = [document["progress"] for _, document in told]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert len(set(shares)) > 2
    assert tenant.client.get(f"{DOCUMENTS}/01a21498-0000-72c3-8e78-2077e32d4c68/events").status_code == 404
    deadline = time.monotonic() + PATIENCE
    while not (sent := tenant.client.get(f"/api/v1/webhooks/{hook['id']}/deliveries").json()["data"]):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    (delivery,) = sent
    assert delivery["type"] == "document.ready"
    assert (delivery["payload"]["data"]["id"], delivery["payload"]["data"]["chunks"]) == (
        made["id"],
        told[-1][1]["chunks"],
    )


def settled_tokens(tenant: Tenant) -> int:
    """What the ledger has, once nothing came to it for two seconds."""
    deadline, found, since = time.monotonic() + PATIENCE, -1, time.monotonic()
    while time.monotonic() - since < 2:
        assert time.monotonic() < deadline
        now = tenant.client.get("/api/v1/usage/summary").json()["totals"]["input_tokens"]
        if now != found:
            found, since = now, time.monotonic()
        time.sleep(0.2)
    return int(found)


def test_cancel_cancels_and_retry_tries_again(tenant: Tenant) -> None:
    made = tenant.client.post(DOCUMENTS, json={"text": story(2, 700), "title": "Long"}).json()
    path = f"{DOCUMENTS}/{made['id']}"
    deadline = time.monotonic() + PATIENCE
    while (now := tenant.client.get(path).json())["progress"] <= 30:
        assert now["status"] in ("queued", "running"), now
        assert time.monotonic() < deadline
        time.sleep(0.1)
    cancelled = tenant.client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    twice = tenant.client.post(f"{path}/cancel")
    assert (twice.status_code, twice.json()["code"]) == (409, "INGESTION_ENDED")
    before = settled_tokens(tenant)
    assert found_by(tenant, "harbour lantern") == []
    time.sleep(1.5)
    # Nothing was embedded any more.
    spent = tenant.client.get("/api/v1/usage/summary").json()["totals"]["input_tokens"] - before
    assert spent < 600, spent
    again = tenant.client.post(DOCUMENTS, json={"text": story(3, 2), "title": "Short"}).json()
    wait(tenant, again["id"])
    ready = tenant.client.post(f"{DOCUMENTS}/{again['id']}/retry")
    assert (ready.status_code, ready.json()["code"]) == (409, "INGESTION_NOT_ENDED")
    retried = tenant.client.post(f"{path}/retry")
    assert (retried.status_code, retried.json()["status"]) == (202, "queued")
    tenant.client.delete(path)


def test_the_same_again_is_nothing_new(tenant: Tenant) -> None:
    first = upload(tenant, title="Same", metadata={"a": 1})
    size = stored(tenant)
    body = {"text": tenant.client.get(f"{DOCUMENTS}/{first['id']}/text").text, "title": "Same", "metadata": {"a": 1}}
    again = tenant.client.post(DOCUMENTS, json=body)
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, first["id"], "ready")
    other = tenant.client.post(DOCUMENTS, json=body | {"metadata": {"a": 2}})
    assert (other.status_code, other.json()["id"] == first["id"]) == (202, False)
    answers: list[httpx.Response] = []

    def one() -> None:
        client = httpx.Client(base_url=tenant.base_url, headers=tenant.client.headers, timeout=60)
        answers.append(client.post(DOCUMENTS, json=body | {"title": "At once"}))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    wait(tenant, other.json()["id"])
    assert stored(tenant) == 3 * size


def test_a_new_version_swaps_in_whole(tenant: Tenant) -> None:
    old, new = story(4, 30), story(4, 30).replace("story 4", "tale 4")
    made = tenant.client.post(DOCUMENTS, json={"text": old, "title": "Story", "metadata": {"v": 1}}).json()
    assert wait(tenant, made["id"])["status"] == "ready"
    path, looked, stop = f"{DOCUMENTS}/{made['id']}", [0], threading.Event()
    torn: list[tuple[str, set[str], int]] = []

    def look() -> None:
        client = httpx.Client(base_url=tenant.base_url, headers=tenant.client.headers, timeout=60)
        while not stop.is_set():
            for mode in ("lexical", "hybrid"):
                answer = client.post(
                    "/api/v1/services/rag/search", json={"query": "story tale", "top_k": 100, "mode": mode}
                )
                rows = answer.raise_for_status().json()["results"]
                kinds = {"new" if "tale 4" in row["text"] else "old" for row in rows}
                if len(kinds) != 1 or len(rows) != made_chunks:
                    torn.append((mode, kinds, len(rows)))
                looked[0] += 1

    made_chunks = tenant.client.get(path).json()["chunks"]
    watcher = threading.Thread(target=look)
    watcher.start()
    replaced = tenant.client.put(path, json={"text": new})
    assert (replaced.status_code, replaced.json()["version"], replaced.json()["ready_version"]) == (202, 2, 1)
    assert replaced.json()["metadata"] == {"v": 1}
    ready = wait(tenant, made["id"])
    stop.set()
    watcher.join()
    assert (ready["status"], ready["version"], ready["ready_version"], ready["title"]) == ("ready", 2, 2, "Story")
    assert torn == []
    assert looked[0] > 2
    assert tenant.client.get(f"{path}/text").text == new
    assert tenant.client.put(path, json={"text": new}).status_code == 200
    # Only what changed is embedded.
    before = settled_tokens(tenant)
    paragraphs = new.split("\n\n")
    paragraphs[15] = "The lighthouse keeper wrote one new paragraph."
    tenant.client.put(path, json={"text": "\n\n".join(paragraphs), "metadata": {"v": 3}})
    assert wait(tenant, made["id"])["ready_version"] == 3
    assert found_by(tenant, "lighthouse keeper", filter={"op": "eq", "field": "v", "value": 3}, mode="dense")
    assert found_by(tenant, "lighthouse keeper", filter={"op": "eq", "field": "v", "value": 1}) == []
    deadline = time.monotonic() + PATIENCE
    while stored(tenant) != len("\n\n".join(paragraphs)):
        assert time.monotonic() < deadline, stored(tenant)
        time.sleep(0.2)
    spent = settled_tokens(tenant) - before
    assert 0 < spent < 2000, spent


def test_a_deleted_document_is_looked_for_and_not_found(tenant: Tenant) -> None:
    document = upload(tenant, title="Gone")
    gone = tenant.client.delete(f"{DOCUMENTS}/{document['id']}")
    assert gone.status_code == 204
    report = tenant.client.get(gone.headers["location"]).json()
    assert (report["status"], report["document_id"], report["documents"]) == ("done", document["id"], 1)
    assert (report["found"], report["probes"]) == (0, document["chunks"])
    assert set(report["found_in"].values()) == {0}
    removed = report["removed"]
    assert (removed["documents"], removed["objects"], removed["chunks"]) == (1, 2, document["chunks"])
    assert removed["bytes"] == document["bytes"]
    assert removed["cached"] >= 1
    assert tenant.client.get("/api/v1/usage/summary").json()["storage"]["bytes"] == 0
    assert stored(tenant) == 0
    assert tenant.client.delete(f"{DOCUMENTS}/{document['id']}").status_code == 404
    audit = tenant.client.get("/api/v1/audit", params={"action": "document.delete"}).json()["data"]
    assert any(row["resource_id"] == document["id"] for row in audit)
    assert tenant.client.get("/api/v1/services/rag/erasures/nope").status_code == 404


def test_documents_are_deleted_by_filter(tenant: Tenant) -> None:
    kept = upload(tenant, title="kept", metadata={"year": 2026})
    for number in range(3):
        upload(tenant, title=f"old {number}", metadata={"year": 2020})
    wanted = json.dumps({"op": "not", "filter": {"op": "gte", "field": "year", "value": 2025}})
    listed = tenant.client.get(DOCUMENTS, params={"filter": wanted, "status": "ready"}).json()["data"]
    assert {row["title"] for row in listed} == {"old 0", "old 1", "old 2"}
    assert tenant.client.get(DOCUMENTS, params={"filter": wanted, "status": "failed"}).json()["data"] == []
    assert tenant.client.get(DOCUMENTS, params={"status": "lost"}).status_code == 400
    # Mistyped, it would be no filter, and all would go.
    mistyped = tenant.client.delete(DOCUMENTS, params={"collection": "default", "fliter": wanted})
    assert (mistyped.status_code, mistyped.json()["errors"][0]["field"]) == (422, "fliter")
    gone = tenant.client.delete(DOCUMENTS, params={"filter": wanted})
    assert (gone.status_code, gone.json()["documents"]) == (202, 3)
    assert {row["document_id"] for row in found_by(tenant, "warranty")} == {kept["id"]}
    deadline = time.monotonic() + PATIENCE
    while (report := tenant.client.get(f"/api/v1/services/rag/erasures/{gone.json()['id']}").json())[
        "status"
    ] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (report["removed"]["documents"], report["found"]) == (3, 0)
    assert stored(tenant) == kept["bytes"]
    assert tenant.client.delete(DOCUMENTS).status_code == 422
    bad = tenant.client.delete(DOCUMENTS, params={"collection": "default", "filter": "{"})
    assert bad.json()["code"] == "BAD_FILTER"


def test_storage_is_exact_under_many_uploads_at_its_limit(
    new_tenant: Callable[..., Tenant], operator: httpx.Client
) -> None:
    tenant = new_tenant()
    size, room = 1000, 5
    operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": {"storage_bytes": size * room + size // 2}})
    answers: list[httpx.Response] = []

    def one(number: int) -> None:
        client = httpx.Client(base_url=tenant.base_url, headers=tenant.client.headers, timeout=60)
        text = f"{number:04d} ".ljust(size, "x")
        answers.append(client.post(DOCUMENTS, json={"text": text, "title": f"t{number}"}))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [answer.status_code for answer in answers]
    assert codes.count(202) == room, codes
    refused = [answer.json() for answer in answers if answer.status_code != 202]
    assert {problem["limit"] for problem in refused} == {"storage_bytes"}
    assert len(tenant.client.get(DOCUMENTS).json()["data"]) == room
    assert stored(tenant) == room * size
    one_of = next(answer.json() for answer in answers if answer.status_code == 202)
    tenant.client.delete(f"{DOCUMENTS}/{one_of['id']}")
    assert stored(tenant) == (room - 1) * size
