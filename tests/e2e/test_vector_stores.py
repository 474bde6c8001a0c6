"""Files and vector stores by the official SDK, unchanged, on both base paths: documents by other names."""

import io
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.promptness import PATIENCE

WARRANTY = b"The warranty of the kettle lasts three years. It is void if the kettle is opened."
RETURNS = b"Returns are free within thirty days. The parcel must have its label."


@pytest.fixture(params=["/v1", "/api/v1"])
def sdk(tenant: Tenant, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(base_url=tenant.base_url + str(request.param), api_key=tenant.key, max_retries=0)


@pytest.fixture
def client(tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)


@pytest.fixture
def other_tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant()


def until(what: Any, wanted: Any) -> None:
    ends = time.monotonic() + PATIENCE
    while (found := what()) != wanted:
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def stored(tenant: Tenant) -> int:
    return int(tenant.client.get("/api/v1/usage/summary").json()["storage"]["bytes"])


def test_a_file_becomes_findable_and_goes(sdk: openai.OpenAI, tenant: Tenant) -> None:
    file = sdk.files.create(file=("warranty.txt", WARRANTY), purpose="assistants")
    assert (file.filename, file.bytes, file.purpose, file.status) == (
        "warranty.txt", len(WARRANTY), "assistants", "processed",
    )  # fmt: skip
    assert sdk.files.content(file.id).read() == WARRANTY
    assert sdk.files.retrieve(file.id) == file == sdk.files.wait_for_processing(file.id)
    brief = sdk.files.create(
        file=("brief.txt", b"Brief."), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert brief.expires_at == brief.created_at + 3600
    assert sdk.files.delete(brief.id).deleted
    store = sdk.vector_stores.create(name="Support FAQ", metadata={"team": "care"}, file_ids=[file.id])
    assert (store.name, store.metadata, store.file_counts.total) == ("Support FAQ", {"team": "care"}, 1)
    ready = sdk.vector_stores.files.poll(file.id, vector_store_id=store.id)
    assert (ready.id, ready.status, ready.last_error) == (file.id, "completed", None)
    store = sdk.vector_stores.retrieve(store.id)
    assert (store.status, store.file_counts.completed, store.usage_bytes) == ("completed", 1, len(WARRANTY))
    found = sdk.vector_stores.search(store.id, query="How long is the warranty?").data
    assert [(row.file_id, row.filename) for row in found] == [(file.id, "warranty.txt")]
    assert "three years" in found[0].content[0].text
    assert 0 < found[0].score <= 1
    text = "".join(part.text or "" for part in sdk.vector_stores.files.content(file.id, vector_store_id=store.id))
    assert text.strip() == WARRANTY.decode()
    # The bytes are kept once, however many stores have them.
    other = sdk.vector_stores.create()
    sdk.vector_stores.files.create_and_poll(file.id, vector_store_id=other.id)
    assert stored(tenant) == len(WARRANTY)
    assert sdk.vector_stores.files.delete(file.id, vector_store_id=other.id).deleted
    assert sdk.vector_stores.files.list(other.id).data == []
    assert sdk.files.retrieve(file.id).id == file.id
    assert sdk.vector_stores.delete(other.id).deleted
    # A deleted file is in no store any more, and gives its bytes back.
    assert sdk.files.delete(file.id).deleted
    assert sdk.vector_stores.files.list(store.id).data == []
    assert sdk.vector_stores.search(store.id, query="warranty").data == []
    until(lambda: stored(tenant), 0)
    for gone in (sdk.files.retrieve, sdk.files.content, sdk.files.delete):
        with pytest.raises(openai.NotFoundError):
            gone(file.id)


def test_the_helpers_of_the_sdk(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(
        chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 120, "chunk_overlap_tokens": 20}}
    )
    told: dict[str, str | float | bool] = {"year": 2024, "old": True, "by": "Ada"}
    one = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id,
        file=("a.md", io.BytesIO(WARRANTY)),
        attributes={"year": 2024, "old": True, "by": "Ada"},
    )
    assert (one.status, one.attributes) == ("completed", told)
    assert one.chunking_strategy is not None
    assert one.chunking_strategy.to_dict()["static"] == {"max_chunk_size_tokens": 120, "chunk_overlap_tokens": 20}
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("b.md", RETURNS), ("c.png", b"\x89PNG\r\n\x1a\n" + bytes(64))], file_ids=[one.id]
    )
    counts = batch.file_counts
    assert (batch.status, counts.completed, counts.failed, counts.total) == ("completed", 2, 1, 3)
    failed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="failed").data
    assert [file.status for file in failed] == ["failed"]
    assert failed[0].last_error is not None
    assert failed[0].last_error.code in ("unsupported_file", "invalid_file")
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id) == batch
    changed = client.vector_stores.files.update(one.id, vector_store_id=store.id, attributes={"year": 2026})
    assert (changed.status, changed.attributes) == ("completed", {"year": 2026})
    assert client.vector_stores.files.retrieve(one.id, vector_store_id=store.id) == changed


def test_filters_questions_and_rankings(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    files = {}
    for name, text, year in (("w.txt", WARRANTY, 2024), ("r.txt", RETURNS, 2026)):
        file = client.files.create(file=(name, text), purpose="user_data")
        files[name] = file.id
        client.vector_stores.files.create_and_poll(
            file.id, vector_store_id=store.id, attributes={"year": year, "kind": name[0]}
        )

    def found(**asked: Any) -> list[str]:
        asked = {"query": "How long do I have to send a parcel back?"} | asked
        return sorted({row.filename for row in client.vector_stores.search(store.id, **asked).data})

    both = ["r.txt", "w.txt"]
    assert found() == both
    assert found(max_num_results=1) == ["r.txt"]
    compared = {
        "eq": (2024, ["w.txt"]), "ne": (2024, ["r.txt"]), "gt": (2024, ["r.txt"]), "gte": (2024, both),
        "lt": (2026, ["w.txt"]), "lte": (2026, both), "in": ([2024, 1], ["w.txt"]), "nin": ([2024], ["r.txt"]),
    }  # fmt: skip
    for kind, (value, names) in compared.items():
        assert found(filters={"type": kind, "key": "year", "value": value}) == names, kind
    parts = [{"type": "eq", "key": "kind", "value": "w"}, {"type": "gt", "key": "year", "value": 2025}]
    assert found(filters={"type": "and", "filters": parts}) == []
    assert found(filters={"type": "or", "filters": parts}) == both
    assert found(ranking_options={"ranker": "none", "score_threshold": 0.0}) == both
    assert found(ranking_options={"score_threshold": 1.0}) in ([], ["r.txt"])
    page = client.vector_stores.search(store.id, query=["kettle", "parcel label"])
    assert {row.filename for row in page.data} == set(both)
    scores = [row.score for row in page.data]
    assert scores == sorted(scores, reverse=True)
    with pytest.raises(openai.BadRequestError) as told:
        found(filters={"type": "like", "key": "year", "value": 1})
    assert told.value.code == "bad_filter"


def test_lists_go_on_by_ids(client: openai.OpenAI) -> None:
    files = [client.files.create(file=(f"{n}.txt", f"Text {n}.".encode()), purpose="user_data") for n in range(5)]
    ids = [file.id for file in files]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in client.files.list(purpose="vision")] == []
    stores = [client.vector_stores.create(name=f"Store {n}") for n in range(3)]
    names = [store.name for store in client.vector_stores.list(limit=1, order="asc")]
    assert sorted(names) == ["Store 0", "Store 1", "Store 2", "default"]
    assert [name for name in names if name != "default"] == ["Store 0", "Store 1", "Store 2"]
    before = client.vector_stores.list(before=stores[0].id, limit=1)
    assert [store.id for store in before.data] == [stores[1].id]
    assert before.has_more
    batch = client.vector_stores.file_batches.create_and_poll(stores[0].id, file_ids=ids)
    assert batch.file_counts.completed == 5
    pages = client.vector_stores.files.list(stores[0].id, limit=2, order="asc")
    assert [file.id for file in pages] == [
        file.id for file in client.vector_stores.files.list(stores[0].id, order="asc")
    ]
    assert {file.id for file in pages} == set(ids)
    with pytest.raises(openai.BadRequestError):
        client.files.list(after="file-" + "0" * 32)


def test_a_collection_is_a_vector_store_and_a_document_is_a_file(client: openai.OpenAI, tenant: Tenant) -> None:
    api = tenant.client
    assert api.post("/api/v1/services/rag/collections", json={"name": "handbook"}).status_code == 201
    body = {"text": RETURNS.decode(), "title": "Returns", "collection": "handbook", "metadata": {"year": 2026}}
    document = api.post("/api/v1/services/rag/documents", json=body).json()
    api.get(f"/api/v1/services/rag/documents/{document['id']}", params={"wait": 60})
    (store,) = [store for store in client.vector_stores.list() if store.name == "handbook"]
    (file,) = client.vector_stores.files.list(store.id).data
    assert file.id == "file-" + document["id"].replace("-", "")
    assert (file.status, file.attributes) == ("completed", {"year": 2026})
    assert client.files.retrieve(file.id).filename == "Returns"
    assert file.id in [one.id for one in client.files.list(purpose="assistants")]
    assert client.files.content(file.id).read() == RETURNS
    made = client.vector_stores.create(name="My store!")
    listed = api.get("/api/v1/services/rag/collections").json()["data"]
    (collection,) = [one for one in listed if one["title"] == "My store!"]
    upload = client.vector_stores.files.upload_and_poll(vector_store_id=made.id, file=("w.txt", WARRANTY))
    rows = api.get("/api/v1/services/rag/documents", params={"collection": collection["name"]}).json()["data"]
    assert [(row["file_id"], row["title"], row["status"]) for row in rows] == [(upload.id, "w.txt", "ready")]
    asked = {"query": "How long is the warranty?", "collection": collection["name"]}
    assert api.post("/api/v1/services/rag/search", json=asked).json()["results"]
    # A new version by the platform's own route, and the file stays as it was.
    files = {"file": ("w.txt", b"The warranty lasts four years.")}
    new = api.put(f"/api/v1/services/rag/documents/{rows[0]['id']}", files=files)
    assert new.status_code == 202, new.text
    api.get(f"/api/v1/services/rag/documents/{rows[0]['id']}", params={"wait": 60})
    found = client.vector_stores.search(made.id, query="How long is the warranty?").data
    assert "four years" in found[0].content[0].text
    assert client.files.content(upload.id).read() == WARRANTY


def test_a_collection_is_deleted_with_all_that_it_has(client: openai.OpenAI, tenant: Tenant) -> None:
    api = tenant.client
    path = "/api/v1/services/rag/collections"
    for _ in range(2):  # its name is free at once
        assert api.post(path, json={"name": "old"}).status_code == 201
        body = {"text": "Something of old.", "collection": "old"}
        document = api.post("/api/v1/services/rag/documents", json=body).json()
        report = api.delete(f"{path}/old")
        assert report.status_code == 202, report.text
        assert api.get(f"{path}/old").status_code == 404
        assert api.get(f"/api/v1/services/rag/documents/{document['id']}").status_code == 404
        erasure = f"/api/v1/services/rag/erasures/{report.json()['id']}"
        until(lambda erasure=erasure: api.get(erasure).json()["status"], "done")
        assert api.get(erasure).json()["found"] == 0
    until(lambda: stored(tenant), 0)
    refused = api.delete(f"{path}/default")
    assert (refused.status_code, refused.json()["code"]) == (400, "DEFAULT_COLLECTION_STAYS")
    (default,) = [store for store in client.vector_stores.list() if store.name == "default"]
    with pytest.raises(openai.BadRequestError) as told:
        client.vector_stores.delete(default.id)
    assert told.value.code == "default_collection_stays"


def test_what_is_refused(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    refused: list[tuple[int, str | None, Any]] = [
        (400, "purpose", lambda: client.files.create(file=("a.txt", b"a"), purpose="dreams")),  # type: ignore[arg-type]
        (400, "expires_after.seconds", lambda: client.files.create(
            file=("a.txt", b"a"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 60})),
        (400, "file_id", lambda: client.vector_stores.files.create(store.id, file_id="mine")),
        (404, "file_id", lambda: client.vector_stores.files.create(store.id, file_id="file-" + "0" * 32)),
        (404, "file_id", lambda: client.vector_stores.create(name="Never", file_ids=["file-" + "0" * 32])),
        (404, None, lambda: client.vector_stores.retrieve("vs_" + "0" * 32)),
        (404, None, lambda: client.vector_stores.search("vs_" + "0" * 32, query="x")),
        (404, None, lambda: client.vector_stores.files.retrieve("file-" + "0" * 32, vector_store_id=store.id)),
        (404, None, lambda: client.vector_stores.file_batches.retrieve("vsfb_" + "0" * 32, vector_store_id=store.id)),
        (400, "max_num_results", lambda: client.vector_stores.search(store.id, query="x", max_num_results=51)),
        (400, "expires_after.days", lambda: client.vector_stores.create(
            expires_after={"anchor": "last_active_at", "days": 400})),
    ]  # fmt: skip
    for status, param, call in refused:
        with pytest.raises(openai.APIStatusError) as told:
            call()
        assert (told.value.status_code, told.value.param) == (status, param), told.value.message
    # Under a key, too: what was refused is refused alike, and what was made is made once.
    for _ in range(2):
        with pytest.raises(openai.NotFoundError) as told:
            client.vector_stores.create(
                name="Never", file_ids=["file-" + "0" * 32], extra_headers={"idempotency-key": "never"}
            )
        assert told.value.param == "file_id"
    file = client.files.create(file=("a.txt", b"Once."), purpose="user_data")
    once = [
        client.vector_stores.create(name="Once", file_ids=[file.id], extra_headers={"idempotency-key": "once"})
        for _ in range(2)
    ]
    assert (once[0].id, once[0].file_counts.total) == (once[1].id, 1)
    names = [one.name for one in client.vector_stores.list()]
    assert ("Never" in names, names.count("Once")) == (False, 1)
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("empty.txt", b""), purpose="user_data")


def test_others_see_nothing_of_it(client: openai.OpenAI, other_tenant: Tenant) -> None:
    file = client.files.create(file=("a.txt", WARRANTY), purpose="user_data")
    store = client.vector_stores.create(file_ids=[file.id])
    stranger = openai.OpenAI(base_url=f"{other_tenant.base_url}/v1", api_key=other_tenant.key, max_retries=0)
    calls: list[Any] = [
        lambda: stranger.files.retrieve(file.id), lambda: stranger.files.content(file.id),
        lambda: stranger.files.delete(file.id), lambda: stranger.vector_stores.retrieve(store.id),
        lambda: stranger.vector_stores.update(store.id, name="Mine"), lambda: stranger.vector_stores.delete(store.id),
        lambda: stranger.vector_stores.search(store.id, query="x"), lambda: stranger.vector_stores.files.list(store.id),
        lambda: stranger.vector_stores.files.create(stranger.vector_stores.create().id, file_id=file.id),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(openai.NotFoundError):
            call()
    assert stranger.files.list().data == []


def test_changes_of_a_vector_store(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 7})
    assert store.expires_at == (store.last_active_at or 0) + 7 * 24 * 3600
    changed = client.vector_stores.update(store.id, name="New", metadata={"a": "b"})
    assert (changed.name, changed.metadata, changed.expires_at is None) == ("New", {"a": "b"}, False)
    kept = client.vector_stores.update(store.id, expires_after=None)
    assert (kept.name, kept.expires_after, kept.expires_at) == ("New", None, None)
