"""What `make run` promises: run.json, one log line per service and request, restarts, one sentence for each trouble."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import ROOT, Platform, Tenant
from tests.promptness import PATIENCE


@pytest.fixture
def local(platform: Platform) -> Platform:
    if platform.directory is None:
        pytest.skip("the platform was not started by this suite")
    return platform


def test_run_json_tells_everything_to_the_owner_only(local: Platform) -> None:
    assert local.directory is not None
    file = local.directory / "run.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run = json.loads(file.read_text())
    assert set(run) == {"base_url", "ops_url", "api_key", "email", "password", "tenant_id", "operator", "pids"}
    services = {"gateway", *(f"{name}_service" for name in ("auth", "usage", "rag", "llm", "embedding", "speech"))}
    assert services | {"postgres", "valkey-meter", "valkey-cache"} <= set(run["pids"])
    assert httpx.get(f"{run['ops_url']}/readyz").status_code == 200
    assert "aisp_gateway_requests_total" in httpx.get(f"{run['ops_url']}/metrics").text
    headers = {"Authorization": f"Bearer {run['api_key']}"}
    assert httpx.get(f"{run['base_url']}/api/v1/tenants/me", headers=headers).json()["plan"] == "pro"


def test_one_request_id_finds_the_log_lines_of_every_service(local: Platform, tenant: Tenant) -> None:
    assert local.directory is not None
    body = {"messages": [{"role": "user", "content": "Hello there."}]}
    tenant.client.post("/api/v1/services/rag/chat", json=body, headers={"X-Request-Id": "trace-me-1"})
    wanted, found = {"gateway", "rag_service", "embedding_service", "llm_service"}, set[str]()
    deadline = time.monotonic() + PATIENCE
    while not wanted <= found:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
        found = {file.stem for file in (local.directory / "logs").glob("*.log") if '"trace-me-1"' in file.read_text()}


def test_a_service_that_dies_is_started_again(local: Platform, tenant: Tenant) -> None:
    before = local.run["pids"]["embedding_service"]  # type: ignore[index]
    os.kill(before, signal.SIGKILL)
    body = {"model": "local/all-minilm-l6-v2", "input": "hello"}
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = tenant.client.post("/v1/embeddings", json=body)
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200 and local.run["pids"]["embedding_service"] != before:  # type: ignore[index]
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.local", "run"]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_second_run_and_a_taken_port_are_one_sentence_each(local: Platform, tmp_path: Path) -> None:
    second = start(AI_PLATFORM_DATA_DIR=str(local.directory), AI_PLATFORM_GATEWAY__PORT="0")
    assert second.returncode == 1
    assert "runs already" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = start(AI_PLATFORM_DATA_DIR=str(tmp_path / "d"), AI_PLATFORM_GATEWAY__PORT=port)
    assert refused.returncode == 1
    assert f"port {port} is taken" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
