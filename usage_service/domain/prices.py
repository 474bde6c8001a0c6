"""What things cost: prices and markups, each with its versions in time. None is ever changed."""

from dataclasses import dataclass
from datetime import datetime

from usage_service.domain.ledger import Unit

STANDARD = "standard"
"""The list of prices for everybody, in the meter."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one million units of one model cost, from a time on. `tenant_id`: for whom; empty for everybody."""

    version: int
    provider: str
    model: str
    unit: Unit
    nano_usd_per_million: int
    effective_at: datetime
    source: str = ""
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class Markup:
    """What a tenant pays beside the prices for everybody, in hundredths of a percent, from a time on."""

    version: int
    tenant_id: str
    basis_points: int
    effective_at: datetime
