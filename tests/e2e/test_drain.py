"""A gateway that is told to stop while a stream runs: the stream says so, and what was used is in the books."""

import json
import os
import signal
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Platform, Tenant
from tests.promptness import PATIENCE

MODEL = "local/smollm2-135m-instruct"


def _await_gateway(platform: Platform, old: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pids: Any = platform.run["pids"]
        if pids["gateway"] != old:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{platform.run['ops_url']}/readyz").status_code == 200:
                    return
        time.sleep(0.1)
    pytest.fail("the gateway was not started again")


def _event(tenant: Tenant, request_id: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        rows = tenant.client.get("/api/v1/usage/events").raise_for_status().json()["data"]
        found = [row for row in rows if row["request_id"] == request_id]
        if found:
            return found[0]
        time.sleep(0.1)
    pytest.fail("no usage event")


def test_a_stream_that_is_cut_off_says_so_and_is_settled(
    platform: Platform, tenant: Tenant, operator: httpx.Client
) -> None:
    if platform.directory is None:
        pytest.skip("the platform was not started by this suite")
    pids: Any = platform.run["pids"]
    gateway = int(pids["gateway"])
    # Without its token for "end" the model goes on.
    body = {"model": MODEL, "stream": True, "max_tokens": 1500, "logit_bias": {"2": -100},
            "messages": [{"role": "user", "content": "Count."}]}  # fmt: skip
    lines: list[str] = []
    try:
        with tenant.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                lines += [line] if line else []
                if len(lines) == 3:
                    os.kill(gateway, signal.SIGTERM)
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        assert json.loads(data[-1])["error"]["code"] == "draining"
        _await_gateway(platform, gateway)
        event = _event(tenant, answer.headers["x-request-id"])
        assert event["status"] == "partial"
        amounts = {line["unit"]: line["amount"] for line in event["lines"]}
        assert amounts["output_tokens"] > 0
        balance = operator.get("/api/v1/usage/invariants").json()
        assert balance["balanced"] is True
    finally:
        _await_gateway(platform, gateway)
