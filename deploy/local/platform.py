"""The processes of the platform on one machine: what each is called, how it starts, what it is told."""

import base64
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from chassis.context import derive_key
from chassis.settings import DatabaseSettings, kept_secret
from deploy.local.databases import SERVICES as DATABASES
from deploy.local.postgres import Postgres
from deploy.local.process import Process, as_socket, free_port
from deploy.local.settings import LocalSettings
from deploy.local.valkey import CACHE, METER, Valkey

SERVICES = ("auth", "usage", "rag", "llm", "embedding", "speech")
CALLS = {
    "gateway": tuple(f"{name}_service" for name in SERVICES),
    "rag_service": ("embedding_service", "llm_service", "usage_service"),
    "speech_service": ("usage_service",),
}
"""Who calls whom: a process gets the keys of its own pairs only."""
PROVIDERS = ("OPENAI_", "ANTHROPIC_", "HF_")
PROVIDER_SERVICES = frozenset(("llm_service", "embedding_service", "speech_service"))


@dataclass
class Member:
    """A process of ours, and the port that tells whether it is ready."""

    process: Process
    ops_port: int


@dataclass
class Platform:
    """Everything that runs."""

    settings: LocalSettings
    port: int
    ops_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        directory = self.directory = self.settings.data_dir.resolve()
        self.logs = directory / "logs"
        self.sockets = directory / "sockets"
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.postgres = Postgres(directory / "postgres", self.logs / "postgres.log")
        self.meter = self._valkey("valkey-meter", METER)
        self.cache = self._valkey("valkey-cache", CACHE)
        self._root = kept_secret(directory, "wire").encode()
        self._ports = {name: free_port() for name in SERVICES}
        self.role_passwords = {name: SecretStr(kept_secret(directory, f"database_{name}")) for name in DATABASES}

    @property
    def database(self) -> DatabaseSettings:
        """Where the databases are, with the owners' password."""
        owner_password = SecretStr(kept_secret(self.directory, "database_owner"))
        return DatabaseSettings(host=self.postgres.host, port=self.postgres.port, owner_password=owner_password)

    @property
    def engines(self) -> list[Process]:
        """The stores."""
        return [self.postgres.process, self.meter.process, self.cache.process]

    def members(self) -> list[Member]:
        """Our processes; the gateway last."""
        found = [self._member(f"{name}_service", free_port()) for name in SERVICES]
        found += [self._member(f"{name}_service", free_port(), "worker") for name in ("usage", "rag")]
        return [*found, self._member("gateway", self.ops_port)]

    def environment(self, name: str, ops_port: int = 0) -> dict[str, str]:
        """What the process of that name is told."""
        short_name = name.removesuffix("_service")
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(PROVIDERS) or name in PROVIDER_SERVICES
        }
        addresses = {
            f"AI_PLATFORM_{service.upper()}__ADDRESS": f"127.0.0.1:{port}" for service, port in self._ports.items()
        }
        password = self.role_passwords.get(short_name)
        own = f"AI_PLATFORM_{short_name.upper()}__"
        return inherited | addresses | {
            "AI_PLATFORM_DATA_DIR": str(self.directory),
            "AI_PLATFORM_MODELS_DIR": str(self.settings.models_directory),
            "AI_PLATFORM_DATABASE__HOST": self.postgres.host,
            "AI_PLATFORM_DATABASE__PORT": str(self.postgres.port),
            "AI_PLATFORM_DATABASE__PASSWORD": password.get_secret_value() if password else "",
            "AI_PLATFORM_REDIS__HOST": self.meter.host,
            "AI_PLATFORM_REDIS__PORT": str(self.meter.port),
            "AI_PLATFORM_REDIS__PASSWORD": self.meter.password,
            "AI_PLATFORM_CACHE__HOST": self.cache.host,
            "AI_PLATFORM_CACHE__PORT": str(self.cache.port),
            "AI_PLATFORM_CACHE__PASSWORD": self.cache.password,
            "AI_PLATFORM_RELAY__SOCKETS": str(self.sockets) if as_socket(self.sockets / "65535.sock") else "",
            "AI_PLATFORM_WIRE__KEYS": json.dumps(self._keys(name)),
            "AI_PLATFORM_GATEWAY__PORT": str(self.port),
            f"{own}OPS_PORT": str(ops_port),
            f"{own}WORKER_OPS_PORT": str(ops_port),
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    @property
    def migrating(self) -> dict[str, str]:
        """What the migration is told: it alone is the databases' owner."""
        owner_password = self.database.owner_password.get_secret_value()
        return self.environment("gateway") | {"AI_PLATFORM_DATABASE__OWNER_PASSWORD": owner_password}

    def _member(self, name: str, ops_port: int, verb: str = "serve") -> Member:
        label = name if verb == "serve" else f"{name}-{verb}"
        command = [sys.executable, "-m", name, verb]
        process = Process(label, command, log=self.logs / f"{label}.log", environment=self.environment(name, ops_port))
        return Member(process, ops_port)

    def _valkey(self, name: str, options: tuple[str, ...]) -> Valkey:
        directory: Path = self.directory / name
        password = kept_secret(self.directory, name)
        return Valkey(name, directory, options, password, self.logs / f"{name}.log")

    def _keys(self, name: str) -> dict[str, str]:
        pairs = [(name, name), *((name, callee) for callee in CALLS.get(name, ()))]
        pairs += [(caller, name) for caller, callees in CALLS.items() if name in callees]
        return {f"{a}>{b}": base64.b64encode(derive_key(self._root, a, b)).decode() for a, b in pairs}
