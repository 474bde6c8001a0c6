"""`eval`: how well search finds, through the public API, on a collection of texts with judged questions.

The directory has corpus.jsonl, a `{"id", "title", "text"}` a line, and queries.jsonl, an `{"text", "relevant": [ids]}`
a line. It is measured on the running platform, in a tenant of its own, on each vector store that is configured, or on
those that are named.
"""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings
from deploy.local.state import read_run

DOCUMENTS = "/api/v1/services/rag/documents"
READY_SECONDS = 900
PAGE = 200


def evaluate(settings: LocalSettings, directory: Path, only: Sequence[str] = ()) -> None:
    """All of it. LocalError if the platform does not run, the files are not there, or a step fails."""
    # A collection may list what has no text: nothing can be found in it.
    corpus = [row for row in read_lines(directory / "corpus.jsonl") if row["text"].strip()]
    queries = read_lines(directory / "queries.jsonl")
    console = Console(highlight=False)
    with tenant_client(settings) as client:
        for store in stores_to_measure(client, only):
            collection = {"name": f"eval-{store}", "vector_store": store}
            client.post("/api/v1/services/rag/collections", json=collection).raise_for_status()
            started = time.monotonic()
            ids = upload(client, corpus, collection["name"], console)
            console.print(f"{len(corpus)} documents are ready on {store} after {time.monotonic() - started:.0f} s")
            judged = [
                {"query": row["text"], "relevant": [ids[name] for name in row["relevant"] if name in ids]}
                for row in queries
            ]
            body = {"queries": [row for row in judged if row["relevant"]], "collection": collection["name"]}
            answer = client.post("/api/v1/services/rag/evaluations", json=body)
            console.print(report(answer.raise_for_status().json()))


def stores_to_measure(client: httpx.Client, only: Sequence[str]) -> list[str]:
    """Those that answer, of those that are named, if any are. LocalError if one that is named does not."""
    told = client.get("/api/v1/services/providers").raise_for_status().json()["vector_stores"]
    healthy = [store["name"] for store in told if store["health"] == "ok"]
    if missing := [name for name in only if name not in healthy]:
        raise LocalError(
            f"the vector store {missing[0]} is not configured or does not answer; {', '.join(healthy)} does"
        )
    return [name for name in healthy if not only or name in only]


def upload(client: httpx.Client, corpus: list[dict[str, Any]], collection: str, console: Console) -> dict[str, str]:
    """Takes in the texts and waits until they are ready; the documents' ids by the texts'."""
    ids = {}
    for row in track(corpus, "uploading", console=console):
        body = {"text": row["text"], "title": row.get("title", "")[:500], "collection": collection}
        ids[row["id"]] = client.post(DOCUMENTS, json=body).raise_for_status().json()["id"]
    wait_ready(client, len(corpus), collection)
    return ids


def read_lines(path: Path) -> list[dict[str, Any]]:
    """A JSON object a line. LocalError."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, json.JSONDecodeError) as error:
        raise LocalError(f"cannot read {path}: {error}") from error


@contextmanager
def tenant_client(settings: LocalSettings) -> Iterator[httpx.Client]:
    """A client of a new tenant whom no limit stops."""
    run = read_run(settings.data_dir)
    try:
        with httpx.Client(base_url=run["base_url"], timeout=600) as client:
            account = {"email": f"eval-{secrets.token_hex(8)}@example.com", "password": secrets.token_urlsafe(24)}
            made = (
                client.post("/api/v1/auth/register", json=account | {"tenant_name": "eval"}).raise_for_status().json()
            )
            operator = {"email": run["operator"]["email"], "password": run["operator"]["password"]}
            token = client.post("/api/v1/auth/token", json=operator).raise_for_status().json()["access_token"]
            plan = client.patch(
                f"/api/v1/admin/tenants/{made['tenant']['id']}",
                json={"plan": "enterprise"},
                headers={"Authorization": f"Bearer {token}"},
            )
            plan.raise_for_status()
            client.headers["Authorization"] = f"Bearer {made['access_token']}"
            yield client
    except httpx.HTTPStatusError as error:
        raise LocalError(
            f"{error.request.url.path} answered {error.response.status_code}: {error.response.text}"
        ) from None
    except httpx.HTTPError as error:
        raise LocalError(f"the platform at {run['base_url']} did not answer: {error}") from error


def wait_ready(client: httpx.Client, count: int, collection: str = "") -> None:
    """Returns when that many documents of a collection are ready. LocalError if one fails or it takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        ready, cursor = 0, ""
        while True:
            asked: dict[str, str | int] = {"limit": PAGE, "collection": collection, "cursor": cursor}
            page = client.get(DOCUMENTS, params={key: value for key, value in asked.items() if value})
            rows = page.raise_for_status().json()
            failed = [row for row in rows["data"] if row["status"] == "failed"]
            if failed:
                raise LocalError(f"document {failed[0]['title'][:80]} failed: {failed[0]['error']}")
            ready += sum(row["status"] == "ready" for row in rows["data"])
            cursor = rows["next_cursor"] or ""
            if not cursor:
                break
        if ready >= count:
            return
        time.sleep(2)
    raise LocalError(f"not all documents were ready within {READY_SECONDS} s")


def report(found: dict[str, Any]) -> Table:
    """The figures."""
    table = Table(title=f"{found['queries']} questions, {found['vector_store']}, {found['embedding_model']}")
    for name in ("mode", "nDCG@10", "recall@100", "MRR"):
        table.add_column(name)
    for row in found["modes"]:
        table.add_row(row["mode"], *(f"{row[key]:.4f}" for key in ("ndcg_at_10", "recall_at_100", "mrr")))
    return table
