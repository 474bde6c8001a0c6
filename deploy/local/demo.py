"""`demo`: shows what the running platform can do, on the project's own documents, and what each step called."""

import io
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings
from deploy.local.state import read_run

CHAT_MODEL = "local/smollm2-135m-instruct"
EMBEDDING_MODEL = "local/all-minilm-l6-v2"
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/**/*.md")
COLLECTION = "demo"
QUESTIONS = (
    "Which service owns the ledger and the prices?",
    "What is a lease, and when is it abandoned?",
    "How is a new vector store added?",
)
SENTENCE = "The platform speaks this sentence and writes it down again."
READY_SECONDS = 60


def demo(settings: LocalSettings) -> None:
    """All of it. LocalError if the platform does not run, or a step fails."""
    run = read_run(settings.data_dir)
    headers = {"Authorization": f"Bearer {run['api_key']}"}
    try:
        with httpx.Client(base_url=run["base_url"], headers=headers, timeout=180) as client:
            Demo(client, run).show()
    except httpx.HTTPError as error:
        raise LocalError(f"the platform at {run['base_url']} did not answer: {error}") from error


class Demo:
    """The steps, in order."""

    def __init__(self, client: httpx.Client, run: dict[str, Any]) -> None:
        self._client = client
        self._run = run
        self._console = Console(highlight=False)

    def show(self) -> None:
        """Runs them."""
        self._ingest()
        for question in QUESTIONS:
            self._ask(question)
        self._chat()
        self._embed()
        self._speak()
        self._first_documentation()
        self._usage()

    def _ingest(self) -> None:
        self._title("Documents: the project's own")
        created = self._client.post("/api/v1/services/rag/collections", json={"name": COLLECTION})
        if created.status_code not in (201, 409):
            self._fail(created)
        known = {row["title"] for row in self._get(f"/api/v1/services/rag/documents?collection={COLLECTION}&limit=200")}
        paths = sorted({path for pattern in DOCUMENTS for path in Path.cwd().glob(pattern)})
        ids = []
        for path in paths:
            title = str(path.relative_to(Path.cwd()))
            if title in known:
                continue
            with path.open("rb") as file:
                answer = self._call(
                    "POST", "/api/v1/services/rag/documents",
                    files={"file": (path.name, file)}, data={"collection": COLLECTION, "title": title},
                    quiet=True,
                )  # fmt: skip
            ids.append(answer["id"])
        begun = time.monotonic()
        for document_id in ids:
            document = self._call(
                "GET", f"/api/v1/services/rag/documents/{document_id}?wait={READY_SECONDS}", quiet=True
            )
            if document["status"] != "ready":
                raise LocalError(f"{document['title']} is {document['status']}: {document['error']}")
        self._told(f"POST /api/v1/services/rag/documents ({len(ids)} files; {len(known)} were there)", begun)

    def _ask(self, question: str) -> None:
        self._title(f"Question: {question}")
        body = {"query": question, "collection": COLLECTION, "top_k": 4}
        answer = self._call("POST", "/api/v1/services/rag/generate", json=body)
        self._console.print(f"  [{answer['state']}] {answer['answer']}", markup=False)
        for citation in answer["citations"]:
            place = f"{citation['title']} {citation['start']}-{citation['end']}"
            quote = " ".join(citation["quote"].split())[:110]
            self._console.print(f"    [{citation['number']}] {place}: “{quote}”", markup=False, style="dim")

    def _chat(self) -> None:
        from openai import OpenAI

        sdk = OpenAI(base_url=f"{self._run['base_url']}/v1", api_key=self._run["api_key"])
        messages: Any = [{"role": "user", "content": "In one sentence: what is a gateway?"}]
        self._title("Chat through the official openai SDK, plain and streamed")
        begun = time.monotonic()
        plain = sdk.chat.completions.create(model=CHAT_MODEL, messages=messages, max_tokens=60)
        self._told("client.chat.completions.create(...)", begun)
        self._console.print(f"  {plain.choices[0].message.content}", markup=False)
        begun = time.monotonic()
        words = sdk.chat.completions.create(model=CHAT_MODEL, messages=messages, max_tokens=60, stream=True)
        self._console.print("  ", end="")
        for chunk in words:
            if chunk.choices:
                self._console.print(chunk.choices[0].delta.content or "", end="", markup=False)
        self._console.print()
        self._told("client.chat.completions.create(..., stream=True)", begun)

    def _embed(self) -> None:
        self._title("Embeddings")
        texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again."]
        answer = self._call("POST", "/v1/embeddings", json={"model": EMBEDDING_MODEL, "input": texts})
        first, *others = [row["embedding"] for row in answer["data"]]
        for text, other in zip(texts[1:], others, strict=True):
            cosine = sum(a * b for a, b in zip(first, other, strict=True))
            self._console.print(f"  cosine {cosine:.2f}  {texts[0]!r} and {text!r}", markup=False)

    def _speak(self) -> None:
        self._title("Speech, out and in")
        begun = time.monotonic()
        body = {"model": "local/piper", "voice": "joe", "input": SENTENCE, "response_format": "wav"}
        spoken = self._client.post("/v1/audio/speech", json=body)
        if spoken.status_code != 200:
            self._fail(spoken)
        self._told(f"POST /v1/audio/speech ({len(spoken.content):,} bytes of WAV)", begun)
        heard = self._call(
            "POST", "/v1/audio/transcriptions",
            files={"file": ("speech.wav", io.BytesIO(spoken.content))}, data={"model": "local/whisper-tiny.en"},
        )  # fmt: skip
        self._console.print(f"  said   {SENTENCE}", markup=False)
        self._console.print(f"  heard  {heard['text']}", markup=False)

    def _first_documentation(self) -> None:
        self._title("The two examples of the first documentation")
        found = self._call(
            "POST", "/api/v1/services/rag/search", params={"query": "What is machine learning?", "top_k": 5}
        )
        self._console.print(f"  {len(found['results'])} results")
        messages = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Explain quantum computing."},
        ]
        answer = self._call("POST", "/api/v1/services/rag/chat", json={"messages": messages})
        text = " ".join(answer["message"]["content"].split())[:200]
        self._console.print(f"  [{answer['state']}] {text} …", markup=False)

    def _usage(self) -> None:
        self._title("What it cost")
        time.sleep(1.5)  # the ledger is written within a second
        summary = self._call("GET", "/api/v1/usage/summary")
        table = Table("model", "requests", "input", "output", "characters", "audio s", "cost $", box=None)
        for row in [*summary["by_model"], summary["totals"] | {"model": "all"}]:
            figures = [row[name] for name in ("requests", "input_tokens", "output_tokens", "characters")]
            cost = f"{row['cost_nano_usd'] / 1e9:.6f}"
            table.add_row(row["model"], *map(str, figures), f"{row['audio_seconds']:.1f}", cost)
        self._console.print(table)

    def _get(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._call("GET", path, quiet=True)["data"]
        return rows

    def _call(self, method: str, path: str, *, quiet: bool = False, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        response = self._client.request(method, path, **options)
        if response.status_code >= 300:
            self._fail(response)
        if not quiet:
            self._told(f"{method} {response.request.url.raw_path.decode()}", begun)
        document: dict[str, Any] = response.json()
        return document

    def _told(self, what: str, begun: float) -> None:
        self._console.print(f"  {what}  {time.monotonic() - begun:.2f} s", markup=False, style="cyan")

    def _title(self, text: str) -> None:
        self._console.print(f"\n{text}", markup=False, style="bold")

    @staticmethod
    def _fail(response: httpx.Response) -> None:
        request = response.request
        message = f"{request.method} {request.url.path} answered {response.status_code}: {response.text[:300]}"
        raise LocalError(message)
