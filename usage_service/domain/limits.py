"""What may be used: plans, limits as they are compiled into the meter, work that asks for admission."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from usage_service.domain.ledger import START, Amounts

NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its limits by name; one that is absent does not limit."""

    name: str
    limits: Mapping[str, int]
    support: str
    sla_basis_points: int
    version: int = 1
    position: int = 0
    """Among the plans: the first is the smallest."""


@dataclass(frozen=True, slots=True)
class TenantState:
    """What usage knows of a tenant: the plan it was told, and limits of its own."""

    plan: str
    version: int
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LimitState:
    """How much of a limit is used. `reset_ms`: until all of it is free; 0 where time does not free it."""

    scope: str
    name: str
    limit: int
    used: int
    reset_ms: int

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that asks for admission."""

    tenant_id: str
    request_id: str
    user_id: str
    key_id: str
    service: str
    tokens: int
    storage_bytes: int
    lease_seconds: int
    counts_request: bool
    model: str = ""
    characters: int = 0
    audio_milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """Leases ever admitted, and what became of them. `recorded`: settlements, counted in `settled`, whose lease the
    store had lost.
    """

    admitted: int
    settled: int
    abandoned: int
    live: int
    recorded: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every admitted lease is accounted for."""
        return self.admitted == self.settled + self.abandoned + self.live


@dataclass(frozen=True, slots=True)
class Opening:
    """A tenant's partition before something is compiled: its epoch ("" until it is opened; a server that started anew
    has another), and the tenant's compile number (another after `invalidate`).
    """

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant, key or user as it is compiled. `kind`: tenant, key, user. `limits` stand under `version` (an older one
    does not replace them), `budgets` and `marks` (reported, never binding) under the compile number. `flags` of a
    tenant: the kinds (key, user) of which each one that asks has to be compiled, because some have budgets, and
    `unpriced` where work without a price is refused. `prices`: the list that money is counted with.
    """

    kind: str
    id: str
    version: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)
    marks: tuple[tuple[str, int], ...] = ()
    flags: tuple[str, ...] = ()
    prices: str = "standard"
    plan: str = ""
    """Of a tenant: what `limits` were made of, in this version."""
    plan_version: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says that a subject used, with all entries up to `position` of its partition's stream booked.
    `minute`: settled in the last 61 seconds.
    """

    position: str = START
    minute: Amounts = NOTHING
    day: Amounts = NOTHING
    month: Amounts = NOTHING
    total: Amounts = NOTHING
