"""`python -m deploy.bench`: everything side by side in one run, and the table in docs/performance.md written anew."""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from deploy.bench import load, platform
from deploy.bench.peers import Peers, Target
from deploy.bench.processes import cpu_by_pid, memory_mb, name, wakeups
from deploy.bench.report import write
from deploy.local.process import free_port

ROOT = Path(__file__).parents[2]
WARM_SECONDS = 0.7


@dataclass(frozen=True)
class Scenario:
    """What is asked for. `pause`: milliseconds between chunks, of a stream."""

    name: str
    connections: int
    stream: bool = False
    pause: int = 0


SCENARIOS = (
    Scenario("plain@1", 1),
    Scenario("plain@16", 16),
    Scenario("plain@64", 64),
    Scenario("stream@16", 16, stream=True),
    Scenario("stream 10 ms@16", 16, stream=True, pause=10),
)


@dataclass
class Figures:
    """Of one target in one scenario, each a list over rounds."""

    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Milliseconds a request, over all processes."""
    by_process: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, list[float]] = field(default_factory=dict)
    """Of the platform, a request: messages and frames of the relay, and how often which process was woken."""
    failures: int = 0

    def median(self, what: str) -> float:
        """Of the rounds; 0 without any."""
        values = getattr(self, what)
        return statistics.median(values) if values else 0.0


@dataclass
class Measured:
    """A target and what came of it."""

    target: Target
    pids: Callable[[], list[int]]
    names: dict[int, str] = field(default_factory=dict)
    ours: platform.Platform | None = None
    figures: dict[str, Figures] = field(default_factory=dict)
    memory: float = 0.0
    memory_by_process: dict[str, float] = field(default_factory=dict)


def measure(measured: Measured, scenario: Scenario, seconds: float) -> None:
    """One round of one scenario."""
    target = measured.target
    events = 100 if scenario.stream else 0
    body = target.body(scenario.pause, stream=scenario.stream)
    what = load.request("127.0.0.1", target.port, target.path, dict(target.headers), body, events=events)
    uvloop.run(load.run(what, scenario.connections, WARM_SECONDS))
    counted = counts(measured)
    before = cpu_by_pid(measured.pids())
    outcome = uvloop.run(load.run(what, scenario.connections, seconds, scenario.pause / 1000))
    after = cpu_by_pid(measured.pids())
    figures = measured.figures.setdefault(scenario.name, Figures())
    figures.failures += sum(outcome.failures.values())
    if not outcome.requests:
        print(f"{target.name}, {scenario.name}: no answer: {outcome.failures}")
        return
    latencies = sorted(outcome.latencies)
    for values, share in ((figures.p50, 0.5), (figures.p95, 0.95), (figures.p99, 0.99)):
        values.append(1000 * latencies[min(len(latencies) - 1, int(len(latencies) * share))])
    figures.rate.append(outcome.requests / outcome.seconds)
    spent = {pid: 1000 * (used - before.get(pid, 0.0)) / outcome.requests for pid, used in after.items()}
    figures.cpu.append(sum(spent.values()))
    for label, count in counts(measured).items():
        figures.counts.setdefault(label, []).append((count - counted[label]) / outcome.requests)
    by_name: dict[str, float] = {}
    for pid, used in spent.items():
        label = measured.names.get(pid) or name(pid)
        by_name[label] = by_name.get(label, 0.0) + used
    for label, used in by_name.items():
        figures.by_process.setdefault(label, []).append(used)


def counts(measured: Measured) -> dict[str, float]:
    """What is counted of the platform, up to now."""
    if measured.ours is None:
        return {}
    pids = measured.ours.pids
    woken = {f"{name} is woken": float(wakeups(pids[name])) for name in ("gateway", "llm_service")}
    return measured.ours.relayed() | woken


def remember(measured: Measured) -> None:
    """Takes down the memory after the load."""
    pids = measured.pids()
    measured.memory = memory_mb(pids)
    for pid in pids:
        label = measured.names.get(pid) or name(pid)
        measured.memory_by_process[label] = measured.memory_by_process.get(label, 0.0) + memory_mb([pid])


def run(seconds: float, rounds: int, directory: Path) -> None:
    """Starts everything, measures in interleaved rounds, writes the table, stops everything."""
    directory.mkdir(parents=True, exist_ok=True)
    provider_port = free_port()
    provider = subprocess.Popen([sys.executable, "-m", "deploy.bench.upstream", str(provider_port)], cwd=ROOT)
    upstream = f"http://127.0.0.1:{provider_port}/v1"
    platforms: list[platform.Platform] = []
    peers: list[Target] = []
    try:
        direct = Target("the provider alone", "nothing", provider_port)
        all_measured = [Measured(direct, lambda: [provider.pid])]
        for label, settings in (
            ("this platform", {}),
            ("the same, relay off", {"AI_PLATFORM_RELAY__ENABLED": "false"}),
        ):
            place = directory / label.replace(" ", "-").replace(",", "")
            started = platform.start(place, ROOT / ".data" / "models", upstream, settings)
            platforms.append(started)
            target = Target(
                label,
                "all: key, seven limits, ledger, logs",
                started.port,
                headers={"Authorization": f"Bearer {started.api_key}"},
                model="openai/bench-{pause}",
            )
            names = {pid: service for service, pid in started.pids.items()}
            all_measured.append(Measured(target, started.tree, names, started))
        peers = Peers(directory, upstream).all()
        all_measured += [Measured(peer, peer.pids) for peer in peers]
        for number in range(rounds):
            for scenario in SCENARIOS:
                for measured in all_measured:
                    measure(measured, scenario, seconds)
            print(f"round {number + 1} of {rounds} is done ({time.strftime('%H:%M:%S')})", flush=True)
        for measured in all_measured:
            remember(measured)
        write(ROOT / "docs" / "performance.md", all_measured, seconds, rounds)
    finally:
        for peer in peers:
            peer.stop()
        for one in platforms:
            one.stop()
        provider.kill()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over so many, interleaved")
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench", help="peers and data are kept here")
    arguments = parser.parse_args()
    run(arguments.seconds, arguments.rounds, arguments.directory.resolve())


if __name__ == "__main__":
    main()
