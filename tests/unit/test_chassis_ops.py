"""The operations port: liveness, readiness with its reason, metrics."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from chassis import errors, ops
from chassis.ops import Readiness, serve_ops
from chassis.settings import ConfigurationError


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def get(readiness: Readiness) -> AsyncIterator[Any]:
    async with serve_ops("127.0.0.1", 0, readiness) as port, aiohttp.ClientSession() as session:

        async def fetch(path: str) -> tuple[int, Any]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                kind = response.content_type
                return response.status, await (response.json() if kind == "application/json" else response.text())

        yield fetch


async def good() -> None:
    return


async def test_alive_from_the_start_ready_later(get: Any, readiness: Readiness) -> None:
    assert await get("/livez") == (200, "ok")
    assert await get("/readyz") == (503, {"ready": False, "reason": "starting"})
    readiness.started(good)
    assert await get("/readyz") == (200, {"ready": True, "reason": ""})
    readiness.drain()
    assert await get("/readyz") == (503, {"ready": False, "reason": "draining"})
    assert await get("/livez") == (200, "ok")


async def test_a_typed_reason_is_told(get: Any, readiness: Readiness) -> None:
    async def bad() -> None:
        raise errors.Unavailable("The model is being loaded.")

    readiness.started(bad)
    assert await get("/readyz") == (503, {"ready": False, "reason": "The model is being loaded."})


async def test_a_drivers_error_is_an_answer_without_its_text(get: Any, readiness: Readiness) -> None:
    async def bad() -> None:
        raise ConnectionRefusedError("10.1.2.3:5432")

    readiness.started(bad)
    reason = "a dependency does not answer (ConnectionRefusedError)"
    assert await get("/readyz") == (503, {"ready": False, "reason": reason})


async def test_a_check_that_hangs_is_cut(get: Any, readiness: Readiness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "READY_TIMEOUT_SECONDS", 0.01)

    async def hanging() -> None:
        await asyncio.sleep(60)

    readiness.started(hanging)
    assert await get("/readyz") == (503, {"ready": False, "reason": "the readiness check took more than 0.01 s"})


async def test_metrics(get: Any) -> None:
    status, text = await get("/metrics")
    assert status == 200
    assert "# TYPE aisp_rpc_server_calls_total counter" in text
    assert "python_info" in text


async def test_nothing_else_is_there(get: Any) -> None:
    assert (await get("/"))[0] == 404


async def test_a_taken_port_is_one_clear_line(readiness: Readiness) -> None:
    async with serve_ops("127.0.0.1", 0, readiness) as port:
        with pytest.raises(ConfigurationError, match=rf"cannot listen on 127.0.0.1:{port}"):
            async with serve_ops("127.0.0.1", port, Readiness()):
                pass
