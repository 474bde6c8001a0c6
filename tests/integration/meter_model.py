"""The meter as its contract tells it (protos/aisp/usage/v1/METER.md), small and exact, in Python.

Windows are kept second by second and summed up anew each time; nothing is shared with the library.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.integration.meter_counters import SPAN, Amounts, Clock, Subject, meaning

STEP_MS = 10_000


@dataclass
class Lease:
    state: str
    tenant: str
    key: str
    user: str
    kind: str
    second: int
    day: int
    month: int
    amounts: dict[str, int]
    expires: int
    lines: list[list[Any]]


@dataclass
class Event:
    tenant: str
    key: str
    user: str
    day: int
    month: int
    second: int
    amounts: dict[str, int]


def price(units: int, per_million: int) -> int:
    exact = Decimal(abs(units)) * per_million / 1_000_000
    return int(exact.to_integral_value(ROUND_HALF_UP)) * (-1 if units < 0 else 1)


READ = ("input_tokens", "cached_input_tokens", "cache_write_tokens")
Rates = dict[int, int]
"""By how many tokens a call reads from which on it holds; that from 0 for any."""


def calls(lines: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Lines of one call stand together, each unit once."""
    call: list[list[Any]] = []
    for line in lines:
        others = [other for other in call if (*other[:3], other[5]) != (*line[:3], line[5]) or other[3] == line[3]]
        if others:
            yield call
            call = []
        call.append(line)
    yield call


class Model:
    """What the library must answer, at the time that `now` tells. `prices`: by (model, unit)."""

    def __init__(self, prices: Mapping[tuple[str, str], Rates], now: int) -> None:
        self.now = now
        self.prices = prices
        self.epoch = 0
        self.numbers: dict[str, int] = defaultdict(int)
        self.subjects: dict[tuple[str, str, str], Subject] = {}
        self.leases: dict[str, Lease] = {}
        self.known: dict[str, set[int]] = defaultdict(set)
        """By lease: in which spans of 300 s it was admitted or ended."""
        self.events: list[Event] = []
        self.books = dict.fromkeys(("admitted", "settled", "abandoned", "recorded"), 0)

    # --- what is compiled

    def compile(self, tenant: str, kind: str, name: str, limits: Mapping[str, int]) -> None:
        place = (tenant, kind, name)
        was_there = place in self.subjects
        subject = self.subjects.setdefault(place, Subject({"t": "tenant", "k": "key", "u": "user"}[kind]))
        clock = self._bring_up([subject])
        before = subject.counters() if was_there else set()
        subject.limits = dict(limits)
        for counter in before - subject.counters():
            if counter[0] == "minute":
                subject.buckets.pop(counter[1], None)
                subject.newest.pop(counter[1], None)
                subject.since.pop(counter[1], None)
            else:
                subject.sums.pop(counter, None)
        if subject.epoch != self.epoch or subject.counters() - before:
            self._rebuild(subject, place, clock, was_there=was_there)
        subject.epoch, subject.compiled = self.epoch, self.numbers[tenant]

    def _rebuild(self, subject: Subject, place: tuple[str, str, str], clock: Clock, *, was_there: bool) -> None:
        tally: dict[tuple[str, str], int] = defaultdict(int)
        live = [lease for lease in self.leases.values() if lease.state == "live"]
        rows: list[Event | Lease] = [*self.events, *live]
        for row in rows:
            if row.tenant != place[0] or place[2] not in ("", row.key if place[1] == "k" else row.user):
                continue
            for measure, amount in row.amounts.items():
                tally["total", measure] += amount
                tally["gauge", measure] += amount
                tally["day", measure] += amount if row.day == clock.day else 0
                tally["month", measure] += amount if row.month == clock.month else 0
                tally["minute", measure] += amount if row.second > clock.second - SPAN else 0
                tally["live", measure] += amount if isinstance(row, Lease) else 0
        for period, measure in subject.counters():
            if period != "minute":
                said = tally[period, measure]
                subject.sums[period, measure] = max(0, said) if period == "gauge" else said
            elif not was_there:
                subject.add_to_window(measure, clock.second, max(0, tally[period, measure]))

    # --- leases

    def reserve(self, asked: Mapping[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
        """The first word of the answer, and the rows of all limits, or of those that bind."""
        found = self._standing(asked)
        if isinstance(found, str):
            return "NEED_LIMITS", [(found,)]
        looked = self._looked(found)
        clock = self._bring_up(looked)
        costs = self._estimate(asked, looked)
        refused = [
            (subject.scope, name, limit, -(-subject.used(name) // scale), subject.wait(name, costs[measure], clock))
            for subject in looked
            for name, limit in subject.limits.items()
            for _, measure, scale in [meaning(name)]
            if costs.get(measure, 0) > 0 and subject.used(name) + costs[measure] > limit * scale
        ]
        if refused:
            return "LIMITED", refused
        if asked["class"] != "management":
            if asked["lease"] in self.leases or self._has_ended(asked["lease"], clock.second):
                return "DUPLICATE", []
            self.known[asked["lease"]].add(clock.second // 300)
            self.books["admitted"] += 1
            self.leases[asked["lease"]] = Lease(
                "live", asked["tenant"], asked["key"], asked["user"], asked["class"], clock.second, clock.day,
                clock.month, costs, clock.ms + asked["lease_ms"], asked["fallback"],
            )  # fmt: skip
        clock = self._bring_up(found)
        for subject in found:
            subject.charge(costs, clock)
        return "OK", self._rows(found, clock)

    def settle(self, name: str, status: str, lines: list[list[Any]]) -> str:
        lease = self.leases.get(name)
        if lease is None:
            return "CLOSED" if self._has_ended(name, self.now // 1000) else "UNKNOWN"
        swept = lease.state == "swept"
        before = dict(lease.amounts)
        requests = 0 if status == "replayed" and not swept else before.get("r", 0)
        clock = self._count(lease, lines, {"r": requests, "n": 0, "m": before.get("m", 0)})
        self.known[name].add(clock.second // 300)
        del self.leases[name]
        self.books["settled"] += not swept
        self._append(lease, lines, clock, requests=0 if swept or status == "replayed" else before.get("r", 0))
        if swept:
            for measure, value in self._sums(lease.lines).items():
                self.events[-1].amounts[measure] -= value
        return "OK"

    def record(self, name: str, status: str, lines: list[list[Any]], asked: Mapping[str, Any]) -> str:
        if name in self.leases or self._has_ended(name, self.now // 1000):
            return self.settle(name, status, lines)
        lease = Lease("", asked["tenant"], asked["key"], asked["user"], asked["class"], 0, -1, -1, {}, 0, [])
        requests = 0 if status == "replayed" else asked["counts"]
        clock = self._count(lease, lines, {"r": requests})
        lease.day, lease.month = clock.day, clock.month
        self.known[name].add(clock.second // 300)
        for entry in ("admitted", "settled", "recorded"):
            self.books[entry] += 1
        self._append(lease, lines, clock, requests=requests)
        return "OK"

    def checkpoint(self, name: str, lease_ms: int, lines: list[list[Any]]) -> tuple[str, set[tuple[str, str]]]:
        lease = self.leases.get(name)
        if lease is None or lease.state != "live":
            return ("CLOSED" if lease else "UNKNOWN"), set()
        lease.expires = self.now + lease_ms
        if not lines:
            return "OK", set()
        lease.lines = lines
        before = dict(lease.amounts)
        subjects = self._counting(lease)
        reached = self._sums(lines, money=any(self._money(subject) for subject in subjects))
        after = before | {m: max(before.get(m, 0), reached[m]) for m in "kca$"}
        self._count(lease, [], after)
        over = {
            (subject.scope, name)
            for subject in subjects
            for name, limit in subject.limits.items()
            for _, measure, scale in [meaning(name)]
            if after.get(measure, 0) > before.get(measure, 0) and subject.used(name) > limit * scale
        }
        return ("EXHAUSTED" if over else "OK"), over

    def sweep(self) -> int:
        expired = [found for found in self.leases.items() if found[1].state == "live" and found[1].expires <= self.now]
        for _, lease in sorted(expired, key=lambda found: (found[1].expires, found[0])):
            before = dict(lease.amounts)
            clock = self._count(lease, lease.lines, {"r": before.get("r", 0), "n": 0, "m": before.get("m", 0)})
            lease.state = "swept"
            self.books["abandoned"] += 1
            self._append(lease, lease.lines, clock, requests=before.get("r", 0))
        return len(expired)

    def state(self, tenant: str, key: str, user: str) -> list[tuple[Any, ...]] | None:
        found = self._standing({"tenant": tenant, "key": key, "user": user})
        if isinstance(found, str):
            return None
        looked = self._looked(found)
        return self._rows(looked, self._bring_up(looked))

    # --- inside

    def _standing(self, asked: Mapping[str, Any]) -> list[Subject] | str:
        tenant = asked["tenant"]
        places = [(tenant, "t", ""), (tenant, "k", asked["key"]), (tenant, "u", asked["user"])]
        found = []
        for place in places:
            if place[1] != "t" and not place[2]:
                continue
            subject = self.subjects.get(place)
            if not subject or (subject.epoch, subject.compiled) != (self.epoch, self.numbers[tenant]):
                return {"t": "tenant", "k": "key", "u": "user"}[place[1]]
            found.append(subject)
        return found

    def _counting(self, lease: Lease) -> list[Subject]:
        places = [(lease.tenant, "t", ""), (lease.tenant, "k", lease.key), (lease.tenant, "u", lease.user)]
        return [self.subjects[place] for place in places if place in self.subjects]

    def _looked(self, subjects: list[Subject]) -> list[Subject]:
        """Who only looks leaves no trace: not even of the time, unless the clock was set back."""
        stepped = any(subject.seen - self._clock(subjects).ms > 0 for subject in subjects)
        return subjects if stepped else deepcopy(subjects)

    def _clock(self, subjects: list[Subject]) -> Clock:
        return Clock(max([self.now, *(subject.seen for subject in subjects if subject.seen - self.now <= STEP_MS)]))

    def _bring_up(self, subjects: list[Subject]) -> Clock:
        clock = self._clock(subjects)
        for subject in subjects:
            subject.bring_up_to(clock)
        return clock

    @staticmethod
    def _money(subject: Subject) -> bool:
        return any(name.startswith("cost") for name in subject.limits)

    def _estimate(self, asked: Mapping[str, Any], subjects: list[Subject]) -> dict[str, int]:
        if asked["class"] == "management":
            return {"m": 1}
        if asked["class"] == "effect":
            return {"m": 1, "b": asked["bytes"]}
        shares = defaultdict(list)
        for subject in subjects:
            for name, limit in subject.limits.items():
                shares[meaning(name)[1]].append(limit // 4)
        output, bounded = asked["output"], asked["bounded"]
        if not bounded:
            output = min([output, *shares["k"]])
        costs = {
            "r": asked["counts"], "n": asked["counts"], "k": asked["input"] + output, "c": asked["c"], "a": asked["a"],
            "b": asked["bytes"],
        }  # fmt: skip
        if any(self._money(subject) for subject in subjects):
            units = {"input_tokens": asked["input"], "characters": asked["c"], "audio_milliseconds": asked["a"]}
            # What is estimated is a fourth of the bytes, and a token has at least one.
            most = 4 * asked["input"]
            costs["$"] = sum(self._most(asked["model"], unit, amount, most) for unit, amount in units.items())
            more = self._most(asked["model"], "output_tokens", output, most)
            costs["$"] += more if bounded else min([more, *shares["$"]])
        return costs

    def _most(self, model: str, unit: str, amount: int, context: int) -> int:
        rates = self.prices.get((model, unit), {0: 0})
        return max(price(amount, rate) for start, rate in rates.items() if start <= context)

    def _price(self, model: str, unit: str, amount: int, context: int) -> int:
        rates = self.prices.get((model, unit), {0: 0})
        return price(amount, rates[max(start for start in rates if start <= context)])

    def _sums(self, lines: list[list[Any]], *, money: bool = True) -> dict[str, int]:
        sums = dict.fromkeys("kcab$", 0)
        for call in calls(lines):
            context = sum(amount for *_, unit, amount, _ in call if unit in READ)
            for _service, model, _provider, unit, amount, _attempt in call:
                measure = {"characters": "c", "audio_milliseconds": "a", "stored_bytes": "b"}.get(unit, "k")
                sums[measure] += amount
                sums["$"] += self._price(model, unit, amount, context) if money else 0
        return sums

    def _count(self, lease: Lease, lines: list[list[Any]], keep: Amounts) -> Clock:
        subjects = self._counting(lease)
        clock = self._bring_up(subjects)
        after = self._sums(lines, money=any(self._money(subject) for subject in subjects)) | dict(keep)
        for subject in subjects:
            subject.recount(lease.amounts, after, lease, clock)
        lease.amounts = after
        return clock

    def _append(self, lease: Lease, lines: list[list[Any]], clock: Clock, *, requests: int) -> None:
        amounts = self._sums(lines) | {"r": requests}
        event = Event(lease.tenant, lease.key, lease.user, lease.day, lease.month, clock.second, amounts)
        self.events.append(event)

    def _has_ended(self, name: str, second: int) -> bool:
        return not self.known[name].isdisjoint((second // 300, second // 300 - 1))

    @staticmethod
    def _rows(subjects: list[Subject], clock: Clock) -> list[tuple[Any, ...]]:
        return [
            (subject.scope, name, limit, -(-subject.used(name) // meaning(name)[2]), subject.wait(name, 0, clock))
            for subject in subjects
            for name, limit in subject.limits.items()
        ]
