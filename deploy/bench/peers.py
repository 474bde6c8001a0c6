"""The gateways that the platform is measured beside: how each is installed (pinned, below the data directory, never a
dependency of the project), started, and called. What is on in each is what its makers' packages can do alone.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson

from deploy.bench.processes import tree
from deploy.local.process import free_port
from deploy.local.valkey import binary

READY_SECONDS = 90
MESSAGES = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Tell me of the fox and the dog. " * 6},
]
# LiteLLM 1.107.0, and 1.82.7 and 1.82.8 before it, were taken over by thieves: pinned to one that is known.
PACKAGES = {"litellm": "litellm[proxy]==1.106.2", "tensorzero": "tensorzero==2026.6.0"}
# node-server 1.14.1 is the last with which Portkey's gateway streams (its issue 1389).
PORTKEY = {"dependencies": {"@portkey-ai/gateway": "1.15.2"}, "overrides": {"@hono/node-server": "1.14.1"}}

TENSORZERO = """
[gateway]
bind_address = "127.0.0.1:{port}"
observability.enabled = false
{models}
[rate_limiting]
enabled = true
{rules}
"""
TENSORZERO_MODEL = """
[models.bench-{pause}]
routing = ["up"]
[models.bench-{pause}.providers.up]
type = "openai"
model_name = "bench-{pause}"
api_base = "{upstream}"
api_key_location = "none"
"""
TENSORZERO_RULE = """
[[rate_limiting.rules]]
priority = 0
{limit} = 1000000000
scope = [{{ tag_key = "{tag}", tag_value = "tensorzero::each" }}]
"""
TENSORZERO_LIMITS = {
    "a": "model_inferences_per_minute",
    "b": "model_inferences_per_day",
    "c": "tokens_per_minute",
    "d": "tokens_per_day",
}
TENSORZERO_START = """
import sys, time
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=sys.argv[2], async_setup=False
)
print(gateway.base_url, flush=True)
time.sleep(86400)
"""


@dataclass
class Target:
    """A gateway that runs: where it takes chat completions, and as which processes."""

    name: str
    on: str
    port: int
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = "bench-{pause}"
    extra: Mapping[str, object] = field(default_factory=dict)
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def body(self, pause: int, *, stream: bool) -> bytes:
        """A request of some 300 bytes."""
        document = {"model": self.model.format(pause=pause), "messages": MESSAGES, "max_tokens": 200, **self.extra}
        return orjson.dumps(document | ({"stream": True} if stream else {}))

    def pids(self) -> list[int]:
        """All its processes."""
        return [pid for process in self.processes for pid in tree(process.pid)]

    def stop(self) -> None:
        """Ends them."""
        for process in self.processes:
            process.kill()
            process.wait()


class Peers:
    """Installs and starts."""

    def __init__(self, directory: Path, upstream: str) -> None:
        """`upstream`: base address of the provider, with /v1."""
        self._directory = directory
        self._upstream = upstream

    def all(self) -> list[Target]:
        """Each that could be installed and started here; what could not is said and left out."""
        found = []
        for name, start in (("portkey", self.portkey), ("tensorzero", self.tensorzero), ("litellm", self.litellm)):
            try:
                found.append(start())
            except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
                print(f"{name} is left out: {error}")
        return found

    def portkey(self) -> Target:
        """Portkey's gateway (Node). It has nothing to turn on without its makers' cloud."""
        place = self._directory / "portkey"
        if not (place / "node_modules").exists():
            place.mkdir(parents=True, exist_ok=True)
            (place / "package.json").write_text(json.dumps({"private": True, **PORTKEY}))
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=place, check=True)  # noqa: S607
        port = free_port()
        command = ["node", "node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={port}", "--headless"]
        headers = {
            "Authorization": "Bearer sk-bench",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": self._upstream,
        }
        process = self._start("portkey", command, cwd=place)
        return _ready(Target("Portkey gateway 1.15.2 (Node)", "nothing", port, headers=headers, processes=[process]))

    def tensorzero(self) -> Target:
        """TensorZero (Rust) with four limits reserved and settled in a Valkey, which counts as its own."""
        python = self._venv("tensorzero")
        store = free_port()
        port = free_port()
        place = self._directory / "tensorzero"
        models = "".join(TENSORZERO_MODEL.format(pause=pause, upstream=self._upstream) for pause in (0, 10))
        rules = "".join(TENSORZERO_RULE.format(tag=tag, limit=limit) for tag, limit in TENSORZERO_LIMITS.items())
        configuration = place / "bench.toml"
        configuration.write_text(TENSORZERO.format(port=port, models=models, rules=rules))
        valkey = self._start("tensorzero-valkey", [str(binary()), "--port", str(store), "--save", ""], cwd=place)
        time.sleep(1)
        script = [str(python), "-c", TENSORZERO_START, str(configuration), f"redis://127.0.0.1:{store}"]
        gateway = self._start("tensorzero", script, cwd=place)
        port = _told_port(self._directory / "tensorzero.log", gateway)
        target = Target(
            "TensorZero 2026.6.0 (Rust)",
            "four limits in Valkey",
            port,
            path="/openai/v1/chat/completions",
            model="tensorzero::model_name::bench-{pause}",
            extra={"tensorzero::tags": dict.fromkeys(TENSORZERO_LIMITS, "x")},
            processes=[gateway, valkey],
        )
        return _ready(target)

    def litellm(self) -> Target:
        """LiteLLM's proxy (Python) with a master key, no database."""
        python = self._venv("litellm")
        place = self._directory / "litellm"
        rows = [
            {
                "model_name": f"bench-{pause}",
                "litellm_params": {"model": f"openai/bench-{pause}", "api_base": self._upstream, "api_key": "sk-bench"},
            }
            for pause in (0, 10)
        ]
        configuration = place / "bench.json"
        configuration.write_text(json.dumps({"model_list": rows, "general_settings": {"master_key": "sk-master"}}))
        port = free_port()
        command = [str(python.with_name("litellm")), "--config", str(configuration), "--port", str(port)]
        command += ["--host", "127.0.0.1", "--num_workers", "1"]
        process = self._start("litellm", command, cwd=place, LITELLM_LOCAL_MODEL_COST_MAP="True")
        headers = {"Authorization": "Bearer sk-master"}
        target = Target("LiteLLM proxy 1.106.2 (Python)", "a key", port, headers=headers, processes=[process])
        return _ready(target)

    def _venv(self, name: str) -> Path:
        place = self._directory / name
        python = place / "bin" / "python"
        if not (place / ".installed").exists():
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            install = [str(python), "-m", "pip", "install", "-qq", "--only-binary", ":all:", PACKAGES[name]]
            subprocess.run(install, check=True)
            (place / ".installed").touch()
        return python

    def _start(self, name: str, command: list[str], *, cwd: Path, **settings: str) -> "subprocess.Popen[bytes]":
        with (self._directory / f"{name}.log").open("wb") as sink:
            return subprocess.Popen(command, cwd=cwd, stdout=sink, stderr=sink, env=os.environ | settings)


def _told_port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    for _ in range(100):
        for line in log.read_text().splitlines():
            if line.startswith("http://"):
                return urlsplit(line.strip()).port or 80
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(log.read_text()[-500:])


def _ready(target: Target) -> Target:
    """Waits until a request is answered. RuntimeError with what it said last."""
    deadline, said = time.monotonic() + READY_SECONDS, ""
    url = f"http://127.0.0.1:{target.port}{target.path}"
    while time.monotonic() < deadline:
        try:
            headers = {**target.headers, "Content-Type": "application/json"}
            answer = httpx.post(url, content=target.body(0, stream=False), headers=headers, timeout=10)
            if answer.status_code == 200:
                return target
            said = answer.text[:300]
        except httpx.HTTPError as error:
            said = repr(error)
        time.sleep(0.3)
    target.stop()
    raise RuntimeError(said)
