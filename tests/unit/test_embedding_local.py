"""The local embedding model: what becomes of one that does not load."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.background import for_ever
from embedding_service.adapters.local_onnx import MODEL_FILE, TOKENIZER_FILE, LocalOnnx
from embedding_service.domain import EmbeddingModel, Health, InputType, ProviderUnavailable
from tests.promptness import PATIENCE


async def test_a_model_that_does_not_load_is_told_of_and_tried_again(tmp_path: Path) -> None:
    for name in (MODEL_FILE, TOKENIZER_FILE):
        (tmp_path / name).write_bytes(b"no model")
    model = LocalOnnx(tmp_path, threads=1, batch_tokens=64, max_input_tokens=8, max_call_tokens=64, queue_seconds=1)
    failed = asyncio.Event()
    with capture_logs() as logs:
        running = asyncio.create_task(for_ever(model.run, 60, lambda _error: failed.set()))
        async with asyncio.timeout(PATIENCE):
            await failed.wait()
        running.cancel()
    assert [row["step"] for row in logs if row["log_level"] == "error"] == ["LocalOnnx.run"]
    assert model.health() is Health.FAILING
    with pytest.raises(ProviderUnavailable):
        await model.embed(EmbeddingModel("m", "local", "m"), ["x"], 0, InputType.QUERY)
