"""CPU and memory of process trees, out of /proc."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for path in PROC.iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            children.setdefault(int(fields[1]), []).append(int(path.name))
    found, layer = [root], [root]
    while layer:
        layer = [child for parent in layer for child in children.get(parent, ())]
        found += layer
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that the processes, and their children that ended, have used so far."""
    return sum(sum(int(value) for value in fields[11:15]) for pid in pids if (fields := _stat(pid))) / TICK


def cpu_by_pid(pids: list[int]) -> dict[int, float]:
    """The same, of each."""
    return {pid: cpu_seconds([pid]) for pid in pids}


def wakeups(pid: int) -> int:
    """How often a thread of the process has waited and was woken so far. One of an event loop that sleeps in its
    selector is a turn of the loop.
    """
    try:
        tasks = [path.read_text() for path in (PROC / str(pid) / "task").glob("*/status")]
    except OSError:
        return 0
    lines = [line for text in tasks for line in text.splitlines() if line.startswith("voluntary_ctxt_switches")]
    return sum(int(line.split()[1]) for line in lines)


def memory_mb(pids: list[int]) -> float:
    """Proportional set size: shared pages are divided among those who share them."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def name(pid: int) -> str:
    """What runs there, in a word or two."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    texts = [word.decode(errors="replace") for word in words if word]
    if "-m" in texts:
        return " ".join(texts[texts.index("-m") + 1 :][:2])
    # PostgreSQL writes what a process of it does after its name.
    return Path(texts[0].partition(":")[0]).name if texts else "?"


def _stat(pid: int) -> list[str]:
    """Fields after the name, of which the second is the parent and the 12th to 15th the times."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
