"""The local model on a machine whose cores others use: it gets slower, but a token costs no more of the machine."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp
import psutil
import pytest

from llm_service.adapters.supervisor import EngineOptions, LocalEngine
from llm_service.settings import Settings
from tests.promptness import PATIENCE

MODEL = Settings().model_file
TOKENS = 25
MOST_CPU = 2.5
"""Times the CPU of one thread, which waits for nobody; threads that spin while they wait take five and more."""
BODY = {"messages": [{"role": "user", "content": "Tell a story."}], "max_tokens": TOKENS, "ignore_eos": True}


@asynccontextmanager
async def running(threads: int) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(EngineOptions(MODEL, threads, slots=1, context_length=512))
    task = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while engine.address() is None:
                await asyncio.sleep(0.05)
        yield engine
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def crowded() -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


async def cpu_of_an_answer(engine: LocalEngine) -> float:
    """Seconds."""
    process = next(child for child in psutil.Process().children() if "local_engine" in " ".join(child.cmdline()))
    before = process.cpu_times()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{engine.address()}/chat/completions", json=BODY) as answer,
    ):
        assert (await answer.json())["usage"]["completion_tokens"] == TOKENS
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


@pytest.mark.skipif(not MODEL.exists(), reason="no model files: run `make models`")
async def test_threads_that_wait_for_each_other_leave_the_cores_to_others() -> None:
    found = {}
    with crowded():
        for threads in (1, 2):
            async with running(threads) as engine:
                await cpu_of_an_answer(engine)
                found[threads] = min([await cpu_of_an_answer(engine) for _ in range(2)])
    assert found[2] < MOST_CPU * found[1]
