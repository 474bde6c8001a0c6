"""What processes use: seconds of processors, memory."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Of a process and of its children that have ended."""
    return sum(int(field) for field in stat(pid)[11:15]) / TICKS


def stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 20


def with_children(pid: int) -> float:
    """Of a process and all of its children."""
    others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return processor_seconds(pid) + sum(processor_seconds(other) for other in others if stat(other)[1] == str(pid))


def shares(pids: Mapping[str, int]) -> dict[str, int]:
    """Proportional set sizes in MB; those of the worker's children together, as what extracts."""
    worker = pids["worker"]
    children = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    held = {name: pss(pid) for name, pid in pids.items()}
    return held | {"extraction": sum(pss(pid) for pid in children if stat(pid)[1] == str(worker))}


def pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) // 1024


@asynccontextmanager
async def weighing(pids: Mapping[str, int]) -> AsyncIterator[dict[str, int]]:
    """Their peaks."""
    peaks: dict[str, int] = {}

    async def weigh() -> None:
        while True:
            for name, now in (await asyncio.to_thread(shares, pids)).items():
                peaks[name] = max(now, peaks.get(name, 0))
            await asyncio.sleep(0.1)

    weighed = asyncio.create_task(weigh())
    try:
        yield peaks
    finally:
        weighed.cancel()
        await asyncio.gather(weighed, return_exceptions=True)
