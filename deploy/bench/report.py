"""The figures as tables, between two marks in docs/performance.md; what stands around them is written by hand."""

import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.bench.__main__ import Measured

BEGIN = "<!-- begin: written by make bench -->"
END = "<!-- end: written by make bench -->"

COLUMNS = (
    "what",
    "on",
    "CPU ms/request @16",
    "requests/s @1, @16, @64",
    "p50 ms @1",
    "p50, p95, p99 ms @16",
    "memory MB",
    "CPU ms/stream of 100 chunks, no pause @16",
    "the same, 10 ms pause",
)


def write(document: Path, all_measured: "list[Measured]", seconds: float, rounds: int) -> None:
    """Replaces what stands between the marks, and prints it."""
    text = "\n".join(_tables(all_measured, seconds, rounds))
    print(text)
    old = document.read_text() if document.exists() else f"{BEGIN}\n{END}\n"
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    document.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


def _tables(all_measured: "list[Measured]", seconds: float, rounds: int) -> list[str]:
    when = time.strftime("%Y-%m-%d", time.gmtime())
    lines = [
        f"{when}, {platform.machine()}, Python {platform.python_version()}; medians of {rounds} interleaved rounds of",
        f"{seconds:g} s; CPU is user and system time of the whole process tree.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [_row(measured) for measured in all_measured]
    for measured in all_measured:
        if measured.target.name == "this platform":
            lines += ["", *_processes(measured)]
    lines += ["", *_counts([measured for measured in all_measured if measured.ours is not None])]
    failed = [
        f"{measured.target.name}, {scenario}: {figures.failures}"
        for measured in all_measured
        for scenario, figures in measured.figures.items()
        if figures.failures
    ]
    return [*lines, "", "Failed requests: " + ("; ".join(failed) if failed else "none") + "."]


def _row(measured: "Measured") -> str:
    def of(scenario: str, what: str) -> float:
        figures = measured.figures.get(scenario)
        return figures.median(what) if figures else 0.0

    rates = ", ".join(f"{of(scenario, 'rate'):,.0f}" for scenario in ("plain@1", "plain@16", "plain@64"))
    spread = ", ".join(f"{of('plain@16', share):.1f}" for share in ("p50", "p95", "p99"))
    cells = [
        measured.target.name,
        measured.target.on,
        f"{of('plain@16', 'cpu'):.3f}",
        rates,
        f"{of('plain@1', 'p50'):.2f}",
        spread,
        f"{measured.memory:.0f}",
        f"{of('stream@16', 'cpu'):.2f}",
        f"{of('stream 10 ms@16', 'cpu'):.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _processes(measured: "Measured") -> list[str]:
    scenarios = ("plain@1", "plain@16", "plain@64", "stream@16", "stream 10 ms@16")
    figures = measured.figures
    labels = {label for one in figures.values() for label in one.by_process}
    spent = {
        label: [_median(figures[scenario].by_process.get(label, [])) for scenario in scenarios if scenario in figures]
        for label in labels
    }
    lines = [
        "Where this platform's CPU goes (ms a request), and the memory of its processes:",
        "",
        f"| process | {' | '.join(scenarios)} | memory MB |",
        "|---|" + "---|" * (len(scenarios) + 1),
    ]
    for label, values in sorted(spent.items(), key=lambda item: -item[1][1]):
        if max(values) >= 0.01:
            memory = measured.memory_by_process.get(label, 0.0)
            lines.append(f"| {label} | {' | '.join(f'{value:.3f}' for value in values)} | {memory:.0f} |")
    return lines


def _counts(platforms: "list[Measured]") -> list[str]:
    scenarios = ("plain@1", "plain@16", "stream@16", "stream 10 ms@16")
    lines = [
        "Messages of the relay at the gateway, the frames in them, and how often a thread was woken, a request:",
        "",
        f"| what | which | {' | '.join(scenarios)} |",
        "|---" * (len(scenarios) + 2) + "|",
    ]
    for measured in platforms:
        figures = measured.figures
        for what in figures[scenarios[0]].counts:
            values = [_median(figures[scenario].counts[what]) for scenario in scenarios]
            lines.append(f"| {what} | {measured.target.name} | {' | '.join(f'{value:.1f}' for value in values)} |")
    return lines


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
