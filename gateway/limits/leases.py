"""What is admitted: what asks for it, the lease that it is, and what was used under it."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from gateway.limits.quotas import ROW, Quota

_chance = random.Random()  # noqa: S311  # an id is no secret; the system's randomness would be a call of it each time


class Line(NamedTuple):
    """An amount of one unit: input_tokens, cached_input_tokens, output_tokens, characters, audio_milliseconds,
    stored_bytes.
    """

    service: str
    model: str
    provider: str
    unit: str
    amount: int
    attempt: int = 1
    estimated: bool = False


class Admission(NamedTuple):
    """What asks to be admitted. `kind`: ai, management (no lease) or effect (a management call with metered effect)."""

    tenant_id: str
    plan: str
    tenant_version: int
    request_id: str
    kind: str = "ai"
    user_id: str = ""
    key_id: str = ""
    key_version: int = 0
    key_limits: Mapping[str, int] = MappingProxyType({})
    service: str = ""
    model: str = ""
    priced_as: str = ""
    """What the price book calls it; empty: the same."""
    tokens: int = 0
    """Estimated input."""
    output_tokens: int = 0
    output_bounded: bool = False
    """Whether the client bounded the output; else the store bounds what is reserved for it."""
    characters: int = 0
    audio_milliseconds: int = 0
    storage_bytes: int = 0


@dataclass(slots=True)
class Lease:
    """An admission. `id` is empty for a management call."""

    id: str
    admission: Admission
    rows: Sequence[Any]
    """The state of the limits: after admission, then after the settlement."""
    reserved: int = -1
    """Tokens. -1: the store has to take its end before anybody hears of it, since before that there is no room for
    another call like it, or since the store alone knows what it comes to.
    """
    since: float = 0.0
    """When it was admitted, in seconds of a clock that only goes forward."""
    lines: Sequence[Line] = ()
    """What was used so far, for checkpoints."""
    exhausted: tuple[Quota, ...] = ()
    """Limits that what was used so far is beyond: the work should end."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a call would cost at most by its estimate, the limits that would refuse it, and the state of all."""

    cost_nano_usd: int
    binding: tuple[Quota, ...]
    quotas: tuple[Quota, ...]


def admitted(lease_id: str, admission: Admission, answer: Sequence[Any]) -> Lease:
    """The lease of an answer OK."""
    # A store of an older revision does not say what is reserved.
    says = len(answer) % ROW != 1
    return Lease(lease_id, admission, answer[1 + says :], reserved=answer[1] if says else -1, since=time.monotonic())


def tokens_of(lines: Sequence[Line]) -> int:
    """How many tokens they come to."""
    return sum(line.amount for line in lines if line.unit.endswith("_tokens"))


def new_lease_id(clock: Callable[[], float] = time.time) -> str:
    """A UUIDv7: its first 48 bits are the time, out of which the ledger derives the day."""
    number = (int(clock() * 1000) << 80) | _chance.getrandbits(80)
    number = number & ~(0xF << 76) | (0x7 << 76)
    text = f"{number & ~(0x3 << 62) | (0x2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def as_json(lines: Sequence[Line]) -> str:
    """As the meter takes them."""
    # The mark of an estimate stands only where there is one.
    return orjson.dumps([row[: 6 + row.estimated] for row in lines]).decode()
