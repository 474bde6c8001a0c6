"""What things cost: prices and markups, each with its versions in time. None is ever changed."""

from dataclasses import dataclass
from datetime import datetime

from usage_service.domain.ledger import Unit

STANDARD = "standard"
"""The list of prices for everybody, in the meter."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What one million units cost in a call that reads so many tokens or more, whichever way it read them."""

    from_input_tokens: int
    nano_usd_per_million: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one million units of one model cost, from a time on. `tenant_id`: for whom; empty for everybody.

    `tiers`, the least first: what they cost in longer calls, all of such a call.
    """

    version: int
    provider: str
    model: str
    unit: Unit
    nano_usd_per_million: int
    effective_at: datetime
    source: str = ""
    tenant_id: str = ""
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class Markup:
    """What a tenant pays beside the prices for everybody, in hundredths of a percent, from a time on."""

    version: int
    tenant_id: str
    basis_points: int
    effective_at: datetime
