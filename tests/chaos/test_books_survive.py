"""Gateways, usage service, worker, Valkey and PostgreSQL are killed and paused at random under load, and an AOF loses
its tail: afterwards the books balance, and every admitted lease is in the ledger once. AISP_FAULTS and AISP_SEED choose
more.

The load comes from clients of real gateways over HTTP, and from processes with a gateway's meter that write down each
lease before they work under it: so what was admitted is known although nobody was answered.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from redis import Redis

from deploy.local.process import Process
from tests.chaos.clients import WORDS, Clients
from tests.integration.meter_house import House, housed
from tests.integration.meter_provider import providing
from usage_service.adapters.valkey import PARTITIONS, PREFIX, partition

FAULTS = int(os.environ.get("AISP_FAULTS", "8"))
SEED = int(os.environ.get("AISP_SEED", "7"))
ROOT = Path(__file__).parents[2]
QUIET_SECONDS = 120
LEASE_BYTES = 200
"""Of the append-only file, at least, for each lease."""

pytestmark = pytest.mark.skipif("AISP_FAULTS" not in os.environ, reason="a long proof: make chaos")


class Scene:
    """The house under load."""

    def __init__(self, house: House, clients: Clients) -> None:
        self.house = house
        self.clients = clients
        self.tenants = [str(uuid4()) for _ in range(5)]
        self.journals = [house.directory / f"journal-{number}" for number in range(2)]
        environment = house.platform.environment("gateway") | {
            "CHAOS_METER_PORT": str(house.platform.meter.port), "CHAOS_TENANTS": " ".join(self.tenants),
            "CHAOS_METER_PASSWORD": house.platform.meter.password,
        }  # fmt: skip
        self.loads = [
            Process(f"load-{i}", [sys.executable, "-m", "tests.chaos.load", str(path)],
                    log=house.platform.logs / f"load-{i}.log", environment=environment)
            for i, path in enumerate(self.journals)
        ]  # fmt: skip
        self.faults: Counter[str] = Counter()
        self.torn = 0

    @property
    def victims(self) -> list[Process]:
        """Who keeps the books first; then those in whose memory settlements wait."""
        platform, members = self.house.platform, self.house.members
        keepers = [platform.postgres.process, platform.meter.process]
        keepers += [members[name].process for name in ("usage_service", "usage_service-worker")]
        return [*keepers, *self.house.gateways, *self.loads]

    def restart(self, victim: Process) -> None:
        if victim is self.house.platform.postgres.process:
            time.sleep(0.3)
            self.house.platform.postgres.start()
        elif victim is self.house.platform.meter.process:
            self.house.platform.meter.start()
        else:
            victim.start()

    def mend(self) -> None:
        """Starts again what did not come up, as a supervisor does: PostgreSQL waits for backends of its last run."""
        for victim in self.victims[:-2]:
            if victim.exit_code is not None:
                self.restart(victim)

    def tear(self, size: int) -> None:
        """Takes the last bytes off the append-only file, as a loss of power does."""
        directory = self.house.directory / "valkey-meter" / "appendonlydir"
        newest = max(directory.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        with newest.open("r+b") as file:
            file.truncate(max(0, newest.stat().st_size - size))
        self.torn += size

    def worker_metrics(self) -> dict[str, float]:
        text = httpx.get(f"http://127.0.0.1:{self.house.members['usage_service-worker'].ops_port}/metrics").text
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in rows}


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.chdir(ROOT)
    settings = {"AI_PLATFORM_USAGE__PROVE_SECONDS": "1"}
    with providing() as provider:
        with housed(tmp_path_factory.mktemp("house"), provider.address, clocks=(0.0, 0.0), settings=settings) as house:
            customers = [asyncio.run(house.customer({})) for _ in range(3)]
            with Clients(house.urls, customers) as clients:
                scene = Scene(house, clients)
                for load in scene.loads:
                    load.start()
                try:
                    yield scene
                finally:
                    for load in scene.loads:
                        load.kill()


def disturb(scene: Scene, rng: random.Random) -> None:
    victim = rng.choice(scene.victims)
    pauses = rng.random() < 0.5
    scene.faults[f"{victim.name} {'paused' if pauses else 'killed'}"] += 1
    if pauses:
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(rng.uniform(0.2, 5))
        os.kill(victim.pid, signal.SIGCONT)
        return
    victim.kill()
    time.sleep(rng.uniform(0, 1))
    scene.restart(victim)


def come_to_rest(scene: Scene) -> tuple[int, int, int, int, int]:
    """Ends the load, and waits until nothing lives and the ledger has everything; what the meter's books say."""
    scene.clients.stop()
    for process in scene.loads:
        process.ask_to_stop()
    meter = scene.house.platform.meter
    deadline = time.monotonic() + QUIET_SECONDS
    with Redis(port=meter.port, password=meter.password) as redis:
        while True:
            totals = [0] * 5
            behind = 0
            for number in range(PARTITIONS):
                row = redis.fcall(PREFIX + "books", 1, partition(number))
                totals = [a + b for a, b in zip(totals, row, strict=True)]
                last = redis.xrevrange(f"{partition(number)}:events", count=1)
                behind += bool(last) and last[0][0] != redis.get(f"{partition(number)}:committed")
            scene.mend()
            ended = all(process.exit_code is not None for process in scene.loads)
            if ended and not totals[3] and not behind:
                return tuple(totals)  # type: ignore[return-value]
            assert time.monotonic() < deadline, (totals, behind, ended, scene.victims[3].last_words())
            time.sleep(0.5)


async def ledger(scene: Scene) -> dict[str, object]:
    """What PostgreSQL says."""
    address = scene.house.platform.postgres.admin_dsn.rsplit("/", 1)[0] + "/aisp_usage"
    connection = await asyncpg.connect(address)
    try:
        rows = await connection.fetch(
            "SELECT id::text, kind, request_id, requests, input_tokens, output_tokens FROM events"
        )
        sums = await connection.fetchrow("SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM rollups")
        conflicts = await connection.fetchval("SELECT count(*) FROM conflicts")
    finally:
        await connection.close()
    return {"rows": rows, "sums": tuple(int(value or 0) for value in sums), "conflicts": conflicts}


def check(scene: Scene) -> str:
    admitted, settled, abandoned, live, recorded = come_to_rest(scene)
    assert admitted == settled + abandoned + live
    found = asyncio.run(ledger(scene))
    rows = found["rows"]
    assert isinstance(rows, list)
    kinds: dict[str, list[str]] = {}
    of_requests: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        kinds.setdefault(row["id"], []).append(row["kind"])
        of_requests.setdefault(row["request_id"], []).append(row)
    # One end a lease: settled, or swept and at most once corrected.
    assert {tuple(sorted(found)) for found in kinds.values()} <= {("settle",), ("sweep",), ("correct", "sweep")}
    columns = ("requests", "input_tokens", "output_tokens")
    assert tuple(sum(row[column] for row in rows) for column in columns) == found["sums"]
    assert found["conflicts"] == 0
    journalled = {line for path in scene.journals for line in path.read_text().split() if len(line) == 36}
    missing = journalled - set(kinds)
    assert not missing, f"{len(missing)} admitted leases are in no book"
    unbooked = scene.clients.answered - set(of_requests)
    assert not unbooked, f"{len(unbooked)} answered requests are in no book"
    exact = 0
    for request_id in scene.clients.answered:
        booked = of_requests[request_id]
        assert sum(row["requests"] for row in booked) == 1
        if {row["kind"] for row in booked} != {"sweep"}:
            assert sum(row["output_tokens"] for row in booked) == WORDS
            exact += 1
    assert asyncio.run(scene.house.read("/api/v1/usage/invariants"))["balanced"]
    return (
        f"{len(kinds)} leases, {abandoned} abandoned, {recorded} recorded, {len(scene.clients.answered)} answered over "
        f"HTTP ({exact} booked to the token, {scene.clients.failed} failed); {dict(scene.faults)}"
    )


@pytest.mark.slow
def test_after_kills_and_pauses_everything_admitted_is_booked_once(scene: Scene) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    time.sleep(3)
    for _ in range(FAULTS):
        disturb(scene, rng)
        time.sleep(rng.uniform(0.5, 2))
        scene.mend()
    print(check(scene))  # noqa: T201


@pytest.mark.slow
def test_what_a_torn_tail_loses_is_bounded_alarmed_and_booked_all_the_same(scene: Scene) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    time.sleep(3)
    for _ in range(max(2, FAULTS // 5)):
        scene.house.platform.meter.process.kill()
        scene.tear(rng.randrange(1, 20_000))
        scene.house.platform.meter.start()
        time.sleep(rng.uniform(1.5, 3))
    print(check(scene), f"{scene.torn} bytes torn off")  # noqa: T201
    told, deadline = scene.worker_metrics(), time.monotonic() + QUIET_SECONDS
    while told["aisp_usage_books_unbalanced"] or told["aisp_usage_ledger_differences"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.5)
        told = scene.worker_metrics()
    recorded = told['aisp_usage_leases{state="recorded"}']
    assert told["aisp_usage_partitions_opened_total"] >= PARTITIONS
    assert recorded <= scene.torn / LEASE_BYTES
    logs = [path.read_text(errors="replace") for path in scene.house.platform.logs.glob("*.log")]
    alarms = sum(text.count("the meter has lost a lease: its settlement is booked all the same") for text in logs)
    assert alarms >= recorded
    assert any("the meter's server started anew" in text for text in logs)
