"""The function library against an exact model: random histories of everything that it does, on a clock that the test
sets, forwards and backwards. AISP_MODEL_STEPS and AISP_MODEL_SEED choose another history.
"""

import os
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from redis import Redis

from chassis.settings import RedisSettings
from tests.integration.meter_counters import MEASURES, meaning
from tests.integration.meter_model import Model
from usage_service.adapters.valkey import PREFIX

STEPS = int(os.environ.get("AISP_MODEL_STEPS", "20000"))
SEED = int(os.environ.get("AISP_MODEL_SEED", "20261124"))
BATCH = 250
PARTITION = "m:{p1}"
START = 1_795_478_000_000
PRICES = {
    ("m1", "input_tokens"): {0: 150_000_007}, ("m1", "output_tokens"): {0: 600_000_001},
    ("m2", "input_tokens"): {0: 75_000_000_000}, ("m2", "characters"): {0: 15_000_000_000},
    ("m2", "audio_milliseconds"): {0: 100_000_003},
    ("m3", "input_tokens"): {0: 150_000_007, 1000: 300_000_011, 6001: 200_000_009},
    ("m3", "cached_input_tokens"): {0: 15_000_001, 1000: 30_000_001},
    ("m3", "output_tokens"): {0: 600_000_001, 64: 900_000_007},
}  # fmt: skip
NAMES = [
    *(f"{noun}_{period}" for noun in MEASURES for period in ("per_minute", "per_day", "per_month", "total")),
    "concurrent_requests",
    "storage_bytes",
    "management_requests_per_minute",
]
UNITS = ("input_tokens", "cached_input_tokens", "output_tokens", "characters", "audio_milliseconds", "stored_bytes")
LARGE = {"r": 60, "k": 60_000, "c": 20_000, "a": 400_000, "$": 90_000_000, "m": 20, "n": 20, "b": 60_000}
Expected = Callable[[Any], None]


class History:
    """One random history: commands go out in batches, and each answer is held against the model's."""

    def __init__(self, redis: Redis, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secret
        self.redis = redis
        self.pipeline = redis.pipeline(transaction=False)
        self.expected: list[tuple[int, str, Expected | None]] = []
        self.model = Model(PRICES, START)
        self.step = 0
        self.count = 0
        self.names: deque[str] = deque(maxlen=200)
        self.seen: dict[str, int] = {}
        self.set_clock(START)
        lines = [
            f"{who}|{model}|{unit}\t{rates[0]}{''.join(f' {at}={rate}' for at, rate in rates.items() if at)}\n"
            for (model, unit), rates in PRICES.items()
            for who in ("p", "")
        ]
        self.call("set_prices", None, "standard", "".join(lines))

    # --- steps

    def run(self, steps: int) -> None:
        choices: list[tuple[Callable[[], None], int]] = [
            (self.reserve, 36), (self.settle, 24), (self.settle_again, 4), (self.checkpoint, 8), (self.sweep, 4),
            (self.pass_time, 16), (self.record, 2), (self.look, 3), (self.change, 2), (self.restart, 1),
        ]  # fmt: skip
        actions, weights = zip(*choices, strict=True)
        self.restart()
        for self.step in range(steps):
            self.random.choices(actions, weights)[0]()
            if len(self.expected) >= BATCH:
                self.flush()
        self.flush()

    def reserve(self) -> None:
        asked = self.work()
        self.names.append(asked["lease"])
        word, rows = self.model.reserve(asked)
        if word == "NEED_LIMITS":
            self.compile_missing(asked)
            word, rows = self.model.reserve(asked)

        def check(answer: list[bytes]) -> None:
            assert answer[0].decode() == word
            if word == "LIMITED":
                count = int(answer[1])
                assert sorted(read_rows(answer[2 : 2 + 5 * count])) == sorted(rows)
            elif word == "OK":
                assert sorted(read_rows(answer[1:])) == sorted(rows)

        self.seen[word] = self.seen.get(word, 0) + 1
        self.call(
            "reserve", check, asked["tenant"], 0, asked["key"], 1 if asked["key"] else 0, asked["user"], asked["lease"],
            asked["class"], asked["counts"], asked["model"], asked["input"], asked["output"], int(asked["bounded"]),
            asked["c"], asked["a"], asked["bytes"], asked["lease_ms"], "{}", orjson.dumps(asked["fallback"]),
        )  # fmt: skip

    def settle(self) -> None:
        self.end(self.random.choice(list(self.model.leases) or ["nobody"]))

    def settle_again(self) -> None:
        """Late, twice, or what was never admitted."""
        self.end(self.random.choice(self.names or ["nobody"]))

    def end(self, name: str) -> None:
        status = self.random.choice(("settled", "settled", "settled", "partial", "replayed"))
        lines = [] if status == "replayed" else self.lines()
        tenant = self.model.leases[name].tenant if name in self.model.leases else "T1"
        word = self.model.settle(name, status, lines)
        self.seen["settle " + word] = self.seen.get("settle " + word, 0) + 1
        self.call("settle", first_is(word), name, tenant, status, orjson.dumps(lines))

    def record(self) -> None:
        asked, lines = self.work() | {"class": "ai"}, self.lines()
        self.names.append(asked["lease"])
        for _ in range(self.random.choice((1, 2))):
            word = self.model.record(asked["lease"], "settled", lines, asked)
            self.call(
                "record", first_is(word), asked["lease"], asked["tenant"], "settled", orjson.dumps(lines), asked["key"],
                asked["user"], "ai", asked["counts"], "{}",
            )  # fmt: skip

    def checkpoint(self) -> None:
        if not self.model.leases:
            return
        name = self.random.choice(list(self.model.leases))
        lines = self.random.choice(([], self.lines()))
        word, over = self.model.checkpoint(name, 9000, lines)

        def check(answer: list[bytes]) -> None:
            assert answer[0].decode() == word
            assert {(row[0], row[1]) for row in read_rows(answer[1:])} == over

        self.seen["checkpoint " + word] = self.seen.get("checkpoint " + word, 0) + 1
        tenant = self.model.leases[name].tenant
        self.call("checkpoint", check, name, tenant, 9000, orjson.dumps(lines) if lines else "")

    def sweep(self) -> None:
        self.call("sweep", equals(self.model.sweep()), 100_000)

    def pass_time(self) -> None:
        kind = self.random.random()
        if kind < 0.9:
            step = self.random.choice((1, 37, 400, 1000, 2100, 7000))
        elif kind < 0.97:
            step = self.random.choice((30_000, 61_000, 125_000, 3_600_000, 86_400_000, 20 * 86_400_000))
        else:
            step = -self.random.choice((1, 900, 9_999, 10_001, 65_000, 3_600_000, 86_400_000))
        self.set_clock(self.model.now + step)

    def look(self) -> None:
        asked = self.work()
        rows = self.model.state(asked["tenant"], asked["key"], asked["user"])

        def check(answer: list[bytes]) -> None:
            assert answer[0] == (b"NEED_LIMITS" if rows is None else b"OK")
            if rows is not None:
                assert sorted(read_rows(answer[1:])) == sorted(rows)

        self.call("limits_state", check, asked["tenant"], asked["key"], asked["user"])
        books = self.model.books
        live = sum(lease.state == "live" for lease in self.model.leases.values())
        assert books["admitted"] == books["settled"] + books["abandoned"] + live
        told = [books["admitted"], books["settled"], books["abandoned"], live, books["recorded"]]
        self.call("books", equals(told))

    def change(self) -> None:
        """Limits are other ones from now on."""
        tenant = self.random.choice(("T1", "T2"))
        self.model.numbers[tenant] += 1
        self.call("invalidate", None, tenant)
        # What a rebuild has to sum up is kept short.
        if len(self.model.events) > 200:
            self.model.events.clear()
            self.pipeline.delete(f"{PARTITION}:events")
            self.expected.append((self.step, "delete", None))

    def restart(self) -> None:
        """The partition is opened in a new epoch: every counter is rebuilt. Once in a while all subjects are lost."""
        if self.step and self.random.random() > 0.1:
            return
        self.model.epoch += 1
        self.pipeline.delete(f"{PARTITION}:head")
        self.expected.append((self.step, "delete", None))
        self.call("open", None, "0-0")
        if self.random.random() < 0.3:
            for tenant, kind, name in list(self.model.subjects):
                prefix = f"{PARTITION}:{kind}:{tenant}" + (f":{name}" if name else "")
                self.pipeline.delete(prefix, *(f"{prefix}:{part}" for part in ("counts", "ring", "number")))
                self.expected.append((self.step, "delete", None))
            self.model.subjects.clear()
            self.model.numbers.clear()

    # --- what they are made of

    def work(self) -> dict[str, Any]:
        choose = self.random.choice
        self.count += 1
        name = f"lease-{self.count}" if self.random.random() > 0.02 or not self.names else choose(self.names)
        fallback = choose(([], [["llm", "m1", "", "input_tokens", 50, 1]]))
        return {
            "tenant": choose(("T1", "T1", "T2")), "key": choose(("", "K1", "K2")), "user": choose(("", "U1")),
            "lease": name, "class": choose(("ai", "ai", "ai", "job", "effect", "management")),
            "counts": choose((0, 1, 1)), "model": choose(("m1", "m2", "m3")), "input": choose((0, 10, 777, 5000)),
            "output": choose((0, 100, 4096, 10**6)),
            "bounded": choose((True, False)), "c": choose((0, 0, 900)), "a": choose((0, 0, 1, 30_500)),
            "bytes": choose((0, 0, 4000)), "lease_ms": choose((500, 60_000, 60_000)), "fallback": fallback,
        }  # fmt: skip

    def lines(self) -> list[list[Any]]:
        choose = self.random.choice
        amounts = dict.fromkeys(UNITS, (0, 1, 64, 999, 6000)) | {"stored_bytes": (0, 1, 64, 999, 6000, -1, -6000)}
        if self.random.random() < 0.5:
            return [
                ["llm", choose(("m1", "m2", "m3")), "p", unit, choose(amounts[unit]), 1]
                for unit in self.random.sample(UNITS, self.random.randrange(4))
            ]
        # Of some calls of one model, as `rag/chat` makes them.
        return [
            ["llm", model, "p", unit, choose(amounts[unit]), attempt]
            for model, attempt in ((choose(("m1", "m3")), choose((1, 2))) for _ in range(choose((1, 2, 3))))
            for unit in UNITS[:3]
            if self.random.random() < 0.8
        ]

    def compile_missing(self, asked: dict[str, Any]) -> None:
        for kind, name in (("t", ""), ("k", asked["key"]), ("u", asked["user"])):
            if kind == "t" or name:
                self.compile(asked["tenant"], kind, name)

    def compile(self, tenant: str, kind: str, name: str) -> None:
        names = self.random.sample(NAMES, self.random.randrange(9))
        limits = {limit: self.limit(limit) for limit in names}
        self.model.compile(tenant, kind, name, limits)
        written = " ".join(f"{limit}={value}" for limit, value in limits.items())
        self.call_later("compile", tenant, kind, name, written)

    def limit(self, name: str) -> int:
        period, measure, scale = meaning(name)
        most = LARGE[measure] * {"minute": 1, "day": 10, "month": 40, "total": 200}.get(period, 1) // scale
        return self.random.choice((most, most, most, most // 3, most // 10, 2**53 // scale, 2**53 // scale, 0))

    # --- the wire

    def set_clock(self, ms: int) -> None:
        self.model.now = ms
        self.pipeline.set("test:now", ms)
        self.expected.append((self.step, "set", None))

    def call(self, function: str, check: Expected | None, *arguments: Any) -> None:
        self.pipeline.fcall(PREFIX + function, 1, PARTITION, *arguments)
        self.expected.append((self.step, f"{function} {arguments}", check))

    def call_later(self, function: str, tenant: str, kind: str, name: str, written: str) -> None:
        """Compiling wants the epoch and the number back: what was sent before has to be answered first."""
        self.flush()
        epoch, number = self.redis.fcall(PREFIX + "opening", 1, PARTITION, tenant)
        assert epoch
        flags = "ku" if kind == "t" else ""
        told = (epoch, number, 1, flags, "standard", written, "", "0-0", "", 0)
        self.call(function, first_is("OK"), tenant, kind, name, *told)

    def flush(self) -> None:
        answers = self.pipeline.execute()
        for (step, command, check), answer in zip(self.expected, answers, strict=True):
            try:
                if check:
                    check(answer)
            except AssertionError as error:
                error.add_note(f"seed {SEED}, step {step}: {command}\nanswered {answer}")
                raise
        self.expected.clear()


def read_rows(flat: list[bytes]) -> list[tuple[str, str, int, int, int]]:
    return [
        (flat[i].decode(), flat[i + 1].decode(), int(flat[i + 2]), int(flat[i + 3]), int(flat[i + 4]))
        for i in range(0, len(flat), 5)
    ]


def first_is(word: str) -> Expected:
    def check(answer: list[bytes]) -> None:
        assert answer[0].decode() == word

    return check


def equals(value: Any) -> Expected:
    def check(answer: Any) -> None:
        assert answer == value

    return check


@pytest.fixture
def redis(clocked: RedisSettings) -> Iterator[Redis]:
    password = clocked.password.get_secret_value()
    with Redis(host=clocked.host, port=clocked.port, password=password, socket_timeout=60) as client:
        client.flushall()
        yield client


@pytest.mark.slow
def test_the_library_does_what_the_model_does(redis: Redis) -> None:
    history = History(redis, SEED)
    history.run(STEPS)
    print(history.seen)  # noqa: T201  # shown when it fails: what the history was made of
    wanted = {"OK", "LIMITED", "DUPLICATE", "settle OK", "settle CLOSED", "settle UNKNOWN", "checkpoint EXHAUSTED"}
    assert wanted <= set(history.seen)
