"""What answers chats, and meters them, as processes: engines, auth, usage and its worker, llm, and gateways by number.

`deploy.local` starts the same programs in the same way; here there are several gateways, of which some have a wrong
clock, and the meter's store may be another.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from redis.asyncio import Redis

from chassis.settings import DatabaseSettings
from deploy.local.databases import ensure_databases
from deploy.local.demo_tenant import ensure_demo
from deploy.local.platform import Platform
from deploy.local.process import Process, free_port
from deploy.local.settings import LocalSettings
from deploy.local.state import Credentials
from tests.integration.meter_clock import NOON, NOW, clocked_library
from tests.promptness import PATIENCE

NAMES = ("auth_service", "usage_service", "llm_service", "usage_service-worker")
OPERATOR_SECONDS = 600.0
"""Its token is good for somewhat longer."""
READY_SECONDS = 300
WIDE = 10**12


@dataclass(frozen=True)
class Customer:
    """A tenant with a key."""

    id: str
    token: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """As an SDK sends it."""
        return {"Authorization": f"Bearer {self.key}"}


class House:
    """`clocks`: a gateway for each, wrong by so many seconds."""

    def __init__(
        self,
        directory: Path,
        provider: str,
        clocks: Sequence[float] = (0.0,),
        settings: Mapping[str, str] | None = None,
        *,
        clocked: bool = False,
    ) -> None:
        """`clocked`: the meter's store is on the tests' clock (meter_clock)."""
        self._clocked = clocked
        self.ms = NOON
        self.directory = directory
        self.platform = Platform(LocalSettings(data_dir=directory, database=DatabaseSettings(), role_passwords={}), 1)
        # By its port and not its socket: another server can take a port over.
        self.platform.meter.host = "127.0.0.1"
        told = {
            "OPENAI_BASE_URL": provider, "OPENAI_API_KEY": "sk-stand-in", "AI_PLATFORM_LLM__LOCAL__ENABLED": "false",
            **(settings or {}),
        }  # fmt: skip
        with patch.dict(os.environ, told):
            members = {member.process.name: member for member in self.platform.members()}
            self.members = {name: members[name] for name in NAMES}
            self.ports = [free_port() for _ in clocks]
            self._ops = [free_port() for _ in clocks]
            self.gateways = [self._gateway(number, clock) for number, clock in enumerate(clocks)]
        self.credentials = Credentials()
        self._operator = ""
        self._operator_until = 0.0

    @property
    def urls(self) -> list[str]:
        """Of the gateways."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def processes(self) -> dict[str, Process]:
        """All of them by name; the engines first."""
        engines = {process.name: process for process in self.platform.engines}
        gateways = {process.name: process for process in self.gateways}
        return engines | {name: member.process for name, member in self.members.items()} | gateways

    async def start(self) -> None:
        """Starts everything, and the operator with it."""
        platform = self.platform
        platform.meter.start()
        platform.cache.start()
        # Not in a thread of a pool: a process of ours dies with the thread that started it.
        platform.postgres.start()
        await asyncio.gather(platform.postgres.wait_ready(), platform.meter.wait_ready(), platform.cache.wait_ready())
        if self._clocked:
            await self.set_clock(NOON)
            async with self.store() as redis:
                await redis.function_load(clocked_library(), replace=True)
        await ensure_databases(platform.postgres.admin_dsn, platform.database, platform.role_passwords)
        migrating = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alembic", "upgrade", "head", env=platform.migrating, stderr=asyncio.subprocess.PIPE
        )
        assert not await migrating.wait(), (await migrating.stderr.read()).decode()  # type: ignore[union-attr]
        for process in self.processes.values():
            if not process.pid:
                process.start()
        ports = [member.ops_port for member in self.members.values()] + self._ops
        await asyncio.gather(*(self._ready(port) for port in ports))
        self.credentials = await ensure_demo(platform, self.urls[0])

    async def customer(
        self, limits: Mapping[str, int], key_limits: Mapping[str, int] | None = None, of: Customer | None = None
    ) -> Customer:
        """A tenant on enterprise with these limits, and a key with its own; or `of`, with other limits from now on."""
        async with aiohttp.ClientSession(self.urls[0]) as session:
            if time.monotonic() > self._operator_until:
                self._operator_until = time.monotonic() + OPERATOR_SECONDS
                login = {"email": self.credentials.operator_email, "password": self.credentials.operator_password}
                self._operator = (await self._post(session, "/api/v1/auth/token", login))["access_token"]
            if of:
                await self._limit(session, of.id, limits)
                return of
            body = {"email": f"{os.urandom(8).hex()}@example.com", "password": f"horse {os.urandom(8).hex()}"}
            made = await self._post(session, "/api/v1/auth/register", body | {"tenant_name": "T"})
            tenant = made["tenant"]["id"]
            await self._limit(session, tenant, limits)
            key: dict[str, Any] = {"name": "k"} | ({"limits": dict(key_limits)} if key_limits else {})
            told = await self._post(session, "/api/v1/api-keys", key, made["access_token"])
        return Customer(tenant, made["access_token"], told["key"])

    def store(self) -> Redis:
        """The meter's store."""
        return Redis(host="127.0.0.1", port=self.platform.meter.port, password=self.platform.meter.password)

    async def set_clock(self, ms: int) -> None:
        """Of the meter's store."""
        self.ms = ms
        async with self.store() as redis:
            await redis.set(NOW, ms)

    async def read(self, path: str, customer: Customer | None = None, url: str = "") -> dict[str, Any]:
        """A document of the customer's, or of the operator's."""
        headers = {"Authorization": f"Bearer {customer.token if customer else self._operator}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get((url or self.urls[0]) + path, headers=headers) as got,
        ):
            document: dict[str, Any] = await got.json()
            assert got.status == 200, document
            return document

    async def operate(self, method: str, path: str, body: Any) -> tuple[int, str]:
        """What the operator gets for it: status and text. There must have been a customer."""
        headers = {"Authorization": f"Bearer {self._operator}"}
        async with (
            aiohttp.ClientSession(self.urls[0]) as session,
            session.request(method, path, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def booked(self, customer: Customer, requests: int, seconds: float = PATIENCE) -> dict[str, Any]:
        """The customer's sums, once so many requests are in the ledger, and no lease lives."""
        # Near midnight a gateway whose clock is wrong books under another day than today.
        today = datetime.now(UTC).date()
        first, last = today - timedelta(days=1), today + timedelta(days=1)
        deadline = time.monotonic() + seconds
        while True:
            found = await self.read(f"/api/v1/usage/summary?from={first}&to={last}", customer)
            totals: dict[str, Any] = found["totals"]
            if totals["requests"] >= requests or time.monotonic() > deadline:
                return totals
            await asyncio.sleep(0.1)

    def stop(self) -> None:
        """Kills what is left; the engines last."""
        for process in reversed(self.processes.values()):
            process.kill()

    async def ready(self, number: int) -> None:
        """Returns when the gateway is."""
        await self._ready(self._ops[number])

    async def _limit(self, session: aiohttp.ClientSession, tenant: str, limits: Mapping[str, int]) -> None:
        change = {"plan": "enterprise", "limits": dict(limits)}
        headers = {"Authorization": f"Bearer {self._operator}"}
        async with session.patch(f"/api/v1/admin/tenants/{tenant}", json=change, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    @staticmethod
    async def _post(session: aiohttp.ClientSession, path: str, body: Any, token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with session.post(path, json=body, headers=headers) as answer:
            document: dict[str, Any] = await answer.json()
            assert answer.status in (200, 201), document
            return document

    async def _ready(self, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                        if answer.status == 200:
                            return
                words = [(process.name, process.last_words()) for process in self.processes.values()]
                assert all(process.exit_code is None for process in self.processes.values()), words
                assert time.monotonic() < deadline, words
                await asyncio.sleep(0.1)

    def _gateway(self, number: int, clock: float) -> Process:
        environment = self.platform.environment("gateway", self._ops[number]) | {
            "AI_PLATFORM_GATEWAY__PORT": str(self.ports[number]), "AI_PLATFORM_GATEWAY__ATTEMPTS_PER_MINUTE": "100000"
        }  # fmt: skip
        module = ["tests.integration.meter_skewed", str(clock)] if clock else ["gateway", "serve"]
        name = f"gateway-{number}"
        log = self.platform.logs / f"{name}.log"
        return Process(name, [sys.executable, "-m", *module], log=log, environment=environment)


@contextmanager
def housed(directory: Path, provider: str, **options: Any) -> Iterator[House]:
    """A house that runs."""
    for path in (directory, *directory.parents):
        # PostgreSQL does not run as root but as nobody, who must be able to reach its directory.
        if path.stat().st_mode & 0o011 != 0o011 and path.owner() == Path.home().owner():
            path.chmod(path.stat().st_mode | 0o011)
    house = House(directory, provider, **options)
    try:
        asyncio.run(house.start())
        yield house
    finally:
        house.stop()
