"""Embedder with a local ONNX model (all-MiniLM-L6-v2): tokenizer, mean pooling, length 1. Loads in the background.

What waits at the same time shares a batch; whose turn it is, the line says.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from chassis.context import current_or_none
from embedding_service import policy
from embedding_service.adapters.line import Line, Part
from embedding_service.domain import (
    Answered,
    EmbeddingModel,
    Health,
    Input,
    InputType,
    ProviderNotConfigured,
    ProviderUnavailable,
    Vectors,
)

log = structlog.get_logger()

MODEL_FILE = "all-minilm-l6-v2.onnx"
TOKENIZER_FILE = "tokenizer.json"
WARMING = [[0] * 128] * 4
AT_ONCE = 200
"""So many characters, a question, are made tokens about as fast as they are handed to a thread and back."""


class LocalOnnx:
    """Runs the model in a thread; ONNX Runtime lets go of the interpreter while it computes."""

    def __init__(
        self,
        directory: Path,
        *,
        threads: int,
        batch_tokens: int,
        max_input_tokens: int,
        max_call_tokens: int,
        queue_seconds: float,
    ) -> None:
        self._directory = directory
        self._threads = threads
        self._max_input_tokens = max_input_tokens
        self._max_call_tokens = max_call_tokens
        self._session: Any = None
        self._tokenizer: Any = None
        self._line = Line(batch_tokens, queue_seconds)
        self._work = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether the model's files are there."""
        return all((self._directory / name).exists() for name in (MODEL_FILE, TOKENIZER_FILE))

    def health(self) -> Health:
        if not self.available:
            return Health.NOT_CONFIGURED
        return Health.OK if self._session is not None else Health.FAILING

    async def embed(
        self, model: EmbeddingModel, inputs: Sequence[Input], dimensions: int, input_type: InputType
    ) -> Vectors:
        if not self.available:
            raise ProviderNotConfigured("The local embedding model is not installed: run `make models`.")
        if self._session is None:
            raise ProviderUnavailable("The local embedding model is loading.", retry_after=1)
        few = sum(map(len, inputs)) <= AT_ONCE
        ids = self._tokenize(inputs) if few else await asyncio.to_thread(self._tokenize, inputs)
        calling = current_or_none()
        job = self._line.join(calling.tenant_id if calling else "", ids)
        self._work.set()
        try:
            await job.done
        finally:
            # A caller that went away takes its batches along.
            job.leave()
        return Vectors(tuple(job.vectors), sum(map(len, ids)))

    async def answer(self, model: EmbeddingModel, body: bytes) -> Answered | None:
        return None

    async def run(self) -> None:
        """Loads the model, then computes batch by batch, until cancelled."""
        await asyncio.to_thread(self._load)
        # The first batch is slow, and so tells no pace; without one nobody can be told how long he would wait.
        await asyncio.to_thread(self._infer, WARMING)
        await self._compute(WARMING)
        log.info("local embedding model loaded", threads=self._threads)
        while True:
            await self._work.wait()
            if not self._line:
                self._work.clear()
                continue
            await self._turn()

    async def _turn(self) -> None:
        """One batch."""
        parts = self._line.next()
        rows = [job.ids[index] for job, group in parts for index in group]
        try:
            vectors = iter(await self._compute(rows))
        except Exception as error:  # noqa: BLE001  # whatever the runtime raises belongs to the calls in this batch
            _fail(parts, error)
            return
        for job, group in parts:
            for index in group:
                job.vectors[index] = next(vectors)
            if not job.todo and not job.done.done() and all(job.vectors):
                job.done.set_result(None)

    async def _compute(self, rows: list[list[int]]) -> list[bytes]:
        began = time.monotonic()
        vectors = await asyncio.to_thread(self._infer, rows)
        self._line.took(sum(map(len, rows)), time.monotonic() - began)
        return vectors

    def _load(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would take the cores of the other engines.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        tokenizer = Tokenizer.from_file(str(self._directory / TOKENIZER_FILE))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._session = onnxruntime.InferenceSession(
            str(self._directory / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )

    def _tokenize(self, inputs: Sequence[Input]) -> list[list[int]]:
        texts = [item for item in inputs if isinstance(item, str)]
        encoded = iter(self._tokenizer.encode_batch(texts))
        vocabulary = self._tokenizer.get_vocab_size()
        rows: list[list[int]] = []
        for index, item in enumerate(inputs):
            ids = list(next(encoded).ids) if isinstance(item, str) else list(item)
            if len(ids) > self._max_input_tokens:
                problem = f"has {len(ids)} tokens; this model reads at most {self._max_input_tokens}"
                raise policy.bad_input(f"input[{index}]", problem)
            if not isinstance(item, str) and not all(0 <= number < vocabulary for number in ids):
                raise policy.bad_input(f"input[{index}]", "has token ids that this model does not know")
            rows.append(ids)
        if sum(map(len, rows)) > self._max_call_tokens:
            raise policy.bad_input("input", f"has more than {self._max_call_tokens} tokens in all")
        return rows

    def _infer(self, rows: list[list[int]]) -> list[bytes]:
        import numpy as np

        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        names = {item.name for item in self._session.get_inputs()}
        hidden = self._session.run(None, {name: value for name, value in known.items() if name in names})[0]
        if hidden.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            hidden = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        hidden /= np.maximum(np.linalg.norm(hidden, axis=1, keepdims=True), 1e-12)
        return [row.astype("<f4").tobytes() for row in hidden]


def _fail(parts: list[Part], error: Exception) -> None:
    log.error("local embedding failed", error=repr(error))
    for job, _ in parts:
        job.leave()
        if not job.done.done():
            job.done.set_exception(ProviderUnavailable())
