"""How the meter counts, as its contract tells it: second by second, summed up anew each time. See meter_model."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

SPAN = 61
MEASURES = {"requests": "r", "tokens": "k", "characters": "c", "audio_seconds": "a", "cost_nano_usd": "$"}
Amounts = Mapping[str, int]


def meaning(name: str) -> tuple[str, str, int]:
    """Period, measure and scale of a limit's name."""
    if name in ("concurrent_requests", "storage_bytes"):
        return ("live", "n", 1) if name == "concurrent_requests" else ("gauge", "b", 1)
    if name.startswith("management"):
        return "minute", "m", 1
    noun, period = name.rsplit("_per_", 1) if "_per_" in name else (name.removesuffix("_total"), "total")
    return period, MEASURES[noun], 1000 if noun == "audio_seconds" else 1


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


@dataclass
class Clock:
    ms: int

    @property
    def second(self) -> int:
        return self.ms // 1000

    @property
    def day(self) -> int:
        return self.ms // 86_400_000

    @property
    def month(self) -> int:
        at = moment(self.ms)
        return at.year * 12 + at.month - 1


class Counted(Protocol):
    """When something was counted."""

    second: int
    day: int
    month: int


@dataclass
class Subject:
    """A tenant, key or user that counts."""

    scope: str
    limits: dict[str, int] = field(default_factory=dict)
    buckets: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    sums: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    newest: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    """From which second on a window knows what came when."""
    seen: int = 0
    day: int = -1
    month: int = -1
    epoch: int = -1
    compiled: int = -1

    def bring_up_to(self, clock: Clock) -> None:
        for period, now in (("day", clock.day), ("month", clock.month)):
            before = getattr(self, period)
            if before not in (now, now + 1):
                setattr(self, period, now)
                for key in list(self.sums):
                    if key[0] == period:
                        self.sums[key] = 0
        for measure in {measure for period, measure in self.counters() if period == "minute"}:
            held = self.buckets[measure]
            if self.seen > clock.ms:
                self.buckets[measure] = defaultdict(int, {clock.second: sum(held.values())})
                self.newest[measure] = self.since[measure] = clock.second
            else:
                for second in [second for second in held if second <= clock.second - SPAN]:
                    del held[second]
        self.seen = clock.ms

    def used(self, name: str) -> int:
        period, measure, _ = meaning(name)
        return sum(self.buckets[measure].values()) if period == "minute" else self.sums[period, measure]

    def wait(self, name: str, need: int, clock: Clock) -> int:
        """Milliseconds until `need` fits; or, for 0, until all is free."""
        period, measure, scale = meaning(name)
        if period == "day":
            return 86_400_000 - clock.ms % 86_400_000
        if period == "month":
            at = moment(clock.ms)
            after = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
            return int((after - at) / timedelta(milliseconds=1))
        if period != "minute":
            return 0
        held = self.buckets[measure]
        if not need:
            newest = self.newest.get(measure, 0)
            return max(0, (newest + SPAN) * 1000 - clock.ms) if sum(held.values()) > 0 else 0
        for second in range(clock.second - SPAN + 1, clock.second + 1):
            left = sum(value for bucket, value in held.items() if bucket > second)
            if left + need <= self.limits[name] * scale:
                return (second + SPAN) * 1000 - clock.ms
        return SPAN * 1000

    def counters(self) -> set[tuple[str, str]]:
        return {meaning(name)[:2] for name in self.limits}

    def add_to_window(self, measure: str, second: int, amount: int) -> None:
        if amount:
            self.buckets[measure][second] += amount
            self.newest[measure] = max(self.newest.get(measure, 0), second)
            self.since.setdefault(measure, second)

    def charge(self, costs: Amounts, clock: Clock) -> None:
        for period, measure in self.counters():
            if period == "minute":
                self.add_to_window(measure, clock.second, costs.get(measure, 0))
            else:
                self.sums[period, measure] += costs.get(measure, 0)

    def recount(self, before: Amounts, after: Amounts, lease: "Counted", clock: Clock) -> None:
        for period, measure in self.counters():
            delta = after.get(measure, 0) - before.get(measure, 0)
            since = self.since.get(measure, clock.second + 1)
            if period == "minute":
                if delta > 0:
                    self.add_to_window(measure, clock.second, delta)
                elif max(clock.second - SPAN + 1, since) <= lease.second <= clock.second:
                    self.add_to_window(measure, lease.second, delta)
            elif period in ("day", "month"):
                if delta > 0 or getattr(lease, period) == getattr(self, period):
                    self.sums[period, measure] += delta
            else:
                self.sums[period, measure] += delta
                if period == "gauge":
                    self.sums[period, measure] = max(0, self.sums[period, measure])
