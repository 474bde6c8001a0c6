"""Gateways, usage service, worker, Valkey and PostgreSQL are killed and paused at random under load, and an AOF loses
its tail: afterwards the books balance, and every admitted lease is in the ledger once. AISP_FAULTS and AISP_SEED choose
more.
"""

import asyncio
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from redis import Redis

from chassis.settings import DatabaseSettings
from deploy.local.databases import ensure_databases
from deploy.local.postgres import Postgres
from deploy.local.process import Process, free_port
from deploy.local.valkey import METER, Valkey
from usage_service.adapters.valkey import PARTITIONS, PREFIX, partition

FAULTS = int(os.environ.get("AISP_FAULTS", "8"))
SEED = int(os.environ.get("AISP_SEED", "7"))
ROOT = Path(__file__).parents[2]
PASSWORD = "chaos-" + secrets.token_hex(8)
QUIET_SECONDS = 60

pytestmark = pytest.mark.skipif("AISP_FAULTS" not in os.environ, reason="a long proof: make chaos")


class House:
    """What meters, as processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = Postgres(directory / "cluster", directory / "postgres.log")
        self.valkey = Valkey("meter", directory / "meter", METER, "test-password", directory / "valkey.log")
        self.tenants = [str(uuid4()) for _ in range(5)]
        self.journals = [directory / f"journal-{number}" for number in range(2)]
        self.environment = os.environ | {
            "AI_PLATFORM_DATA_DIR": str(directory), "AI_PLATFORM_WIRE__SECRET": secrets.token_hex(32),
            "AI_PLATFORM_USAGE__ADDRESS": f"127.0.0.1:{free_port()}", "AI_PLATFORM_USAGE__OPS_PORT": str(free_port()),
            "AI_PLATFORM_USAGE__WORKER_OPS_PORT": str(free_port()), "AI_PLATFORM_REDIS__HOST": "127.0.0.1",
            "AI_PLATFORM_REDIS__PORT": str(self.valkey.port), "AI_PLATFORM_REDIS__PASSWORD": "test-password",
            "AI_PLATFORM_DATABASE__HOST": "127.0.0.1", "AI_PLATFORM_DATABASE__PORT": str(self.postgres.port),
            "AI_PLATFORM_DATABASE__PASSWORD": PASSWORD, "AI_PLATFORM_DATABASE__OWNER_PASSWORD": PASSWORD + "-owner",
            "CHAOS_METER_PORT": str(self.valkey.port), "CHAOS_TENANTS": " ".join(self.tenants),
        }  # fmt: skip
        self.service = self._python("usage", "usage_service", "serve")
        self.worker = self._python("worker", "usage_service", "worker")
        self.gateways = [
            self._python(f"load-{i}", "tests.chaos.load", str(path)) for i, path in enumerate(self.journals)
        ]

    @property
    def victims(self) -> list[Process]:
        return [self.postgres.process, self.valkey.process, self.service, self.worker, *self.gateways]

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        password = SecretStr(PASSWORD)
        settings = DatabaseSettings(
            host="127.0.0.1", port=self.postgres.port, password=password, owner_password=SecretStr(PASSWORD + "-owner")
        )

        async def prepare() -> None:
            await self.postgres.wait_ready()
            await self.valkey.wait_ready()
            await ensure_databases(self.postgres.admin_dsn, settings)

        asyncio.run(prepare())
        migrate = self._python("migrate", "usage_service", "migrate")
        migrate.start()
        assert migrate.wait(time.monotonic() + 60)
        assert migrate.exit_code == 0, migrate.last_words()
        for process in (self.service, self.worker, *self.gateways):
            process.start()

    def restart(self, victim: Process) -> None:
        if victim is self.postgres.process:
            time.sleep(0.3)
            self.postgres.start()
        elif victim is self.valkey.process:
            self.valkey.start()
        else:
            victim.start()

    def tear(self, size: int) -> None:
        """Takes the last bytes off the append-only file, as a loss of power does."""
        newest = max((self.directory / "meter/appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        with newest.open("r+b") as file:
            file.truncate(max(0, newest.stat().st_size - size))

    def stop(self) -> None:
        for process in reversed(self.victims):
            process.kill()

    def _python(self, name: str, module: str, *arguments: str) -> Process:
        command = [sys.executable, "-m", module, *arguments]
        return Process(name, command, log=self.directory / f"{name}.log", environment=self.environment)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.chdir(ROOT)
    directory = tmp_path_factory.mktemp("house")
    for path in (directory, *directory.parents):
        # PostgreSQL does not run as root but as nobody, who must be able to reach its directory.
        if path.stat().st_mode & 0o011 != 0o011 and path.owner() == Path.home().owner():
            path.chmod(path.stat().st_mode | 0o011)
    house = House(directory)
    try:
        house.start()
        yield house
    finally:
        house.stop()


def disturb(house: House, rng: random.Random, *, gateways: bool) -> None:
    victim = rng.choice(house.victims if gateways else house.victims[:4])
    if rng.random() < 0.5:
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(rng.uniform(0.2, 5))
        os.kill(victim.pid, signal.SIGCONT)
        return
    victim.kill()
    time.sleep(rng.uniform(0, 1))
    house.restart(victim)


def come_to_rest(house: House) -> tuple[int, int, int, int, int]:
    """Ends the load, and waits until nothing lives and the ledger has everything; what the meter's books say."""
    for process in house.gateways:
        process.ask_to_stop()
    deadline = time.monotonic() + QUIET_SECONDS
    with Redis(port=house.valkey.port, password="test-password") as redis:
        while True:
            totals = [0] * 5
            behind = 0
            for number in range(PARTITIONS):
                row = redis.fcall(PREFIX + "books", 1, partition(number))
                totals = [a + b for a, b in zip(totals, row, strict=True)]
                last = redis.xrevrange(f"{partition(number)}:events", count=1)
                behind += bool(last) and last[0][0] != redis.get(f"{partition(number)}:committed")
            ended = all(process.exit_code is not None for process in house.gateways)
            if ended and not totals[3] and not behind:
                return tuple(totals)  # type: ignore[return-value]
            assert time.monotonic() < deadline, (totals, behind, ended, house.worker.last_words())
            time.sleep(0.5)


async def ledger(house: House) -> dict[str, object]:
    """What PostgreSQL says."""
    address = house.postgres.admin_dsn.rsplit("/", 1)[0] + "/aisp_usage"
    connection = await asyncpg.connect(address)
    try:
        rows = await connection.fetch("SELECT id::text, kind, requests, input_tokens, output_tokens FROM events")
        sums = await connection.fetchrow("SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM rollups")
        conflicts = await connection.fetchval("SELECT count(*) FROM conflicts")
    finally:
        await connection.close()
    return {"rows": rows, "sums": tuple(int(value or 0) for value in sums), "conflicts": conflicts}


def check(house: House) -> str:
    admitted, settled, abandoned, live, recorded = come_to_rest(house)
    assert admitted == settled + abandoned + live
    found = asyncio.run(ledger(house))
    rows = found["rows"]
    assert isinstance(rows, list)
    kinds: dict[str, list[str]] = {}
    for row in rows:
        kinds.setdefault(row["id"], []).append(row["kind"])
    # One end a lease: settled, or swept and at most once corrected.
    assert {tuple(sorted(found)) for found in kinds.values()} <= {("settle",), ("sweep",), ("correct", "sweep")}
    columns = ("requests", "input_tokens", "output_tokens")
    assert tuple(sum(row[column] for row in rows) for column in columns) == found["sums"]
    assert found["conflicts"] == 0
    journalled = {line for path in house.journals for line in path.read_text().split() if len(line) == 36}
    missing = journalled - set(kinds)
    assert not missing, f"{len(missing)} admitted leases are in no book"
    return f"{len(kinds)} leases, {abandoned} abandoned, {recorded} recorded"


@pytest.mark.slow
def test_after_kills_and_pauses_everything_admitted_is_booked_once(house: House) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    time.sleep(3)
    for _ in range(FAULTS):
        disturb(house, rng, gateways=True)
        time.sleep(rng.uniform(0.5, 2))
    print(check(house))  # noqa: T201


@pytest.mark.slow
def test_what_a_torn_tail_loses_is_booked_all_the_same(house: House) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    time.sleep(3)
    for _ in range(max(2, FAULTS // 5)):
        house.valkey.process.kill()
        house.tear(rng.randrange(1, 20_000))
        house.valkey.start()
        time.sleep(rng.uniform(1.5, 3))
    print(check(house))  # noqa: T201
