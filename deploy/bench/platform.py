"""The platform as the bench runs it: all of it by `deploy.local run`, a tenant and a key with every kind of limit."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.bench.processes import tree

START_SECONDS = 180
MANY = 10**9
LIMITS = {
    "requests_per_minute": MANY,
    "tokens_per_minute": 10**12,
    "requests_per_day": MANY,
    "tokens_per_day": 10**12,
    "concurrent_requests": 10**6,
}
KEY_LIMITS = {"requests_per_minute": MANY, "tokens_per_minute": 10**12}


@dataclass
class Platform:
    """It runs; `pids` are its processes by name."""

    port: int
    api_key: str
    root: int
    pids: dict[str, int]
    ops_url: str
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Ends all of it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def relayed(self) -> dict[str, float]:
        """What the relay has carried to and from the gateway so far: messages and frames."""
        lines = httpx.get(f"{self.ops_url}/metrics", timeout=10).text.splitlines()
        told = [
            line.rpartition(" ") for line in lines if line.startswith(("aisp_relay_messages_", "aisp_relay_frames_"))
        ]
        return {
            what: sum(float(value) for name, _, value in told if name.startswith(f"aisp_relay_{what}_total"))
            for what in ("messages", "frames")
        }

    def tree(self) -> list[int]:
        """All processes of it."""
        return tree(self.root)


def start(directory: Path, models: Path, upstream: str, settings: dict[str, str] | None = None) -> Platform:
    """Starts it on free ports with its data in `directory`, and admits a tenant. RuntimeError with what it said."""
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / "data"
    run_file = data / "run.json"
    run_file.unlink(missing_ok=True)
    environment = os.environ | {
        "AI_PLATFORM_DATA_DIR": str(data),
        "AI_PLATFORM_MODELS_DIR": str(models),
        "AI_PLATFORM_GATEWAY__PORT": "0",
        "OPENAI_BASE_URL": upstream,
        "OPENAI_API_KEY": "sk-bench",
        **(settings or {}),
    }
    log = directory / "run.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"], env=environment, stdout=sink, stderr=sink
        )
    deadline = time.monotonic() + START_SECONDS
    while not run_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the platform did not start: {log.read_text()[-1000:]}")
        time.sleep(0.2)
    run: dict[str, Any] = json.loads(run_file.read_text())
    key = _admit(run)
    return Platform(int(run["base_url"].rpartition(":")[2]), key, process.pid, run["pids"], run["ops_url"], process)


def _admit(run: dict[str, Any]) -> str:
    """A key whose requests meet seven limits, none of which binds."""
    with httpx.Client(base_url=run["base_url"], timeout=60) as client:

        def token(email: str, password: str) -> dict[str, str]:
            answer = client.post("/api/v1/auth/token", json={"email": email, "password": password})
            return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

        operator = token(run["operator"]["email"], run["operator"]["password"])
        change = {"plan": "enterprise", "limits": LIMITS}
        client.patch(f"/api/v1/admin/tenants/{run['tenant_id']}", json=change, headers=operator).raise_for_status()
        person = token(run["email"], run["password"])
        wanted = {"name": "bench", "limits": KEY_LIMITS}
        made = client.post("/api/v1/api-keys", json=wanted, headers=person).raise_for_status()
        return str(made.json()["key"])
