"""The catalogue's nouns: public names of models, and where each is served."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Health(Enum):
    """Whether a provider works."""

    OK = "ok"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class DeploymentLimits:
    """What a deployment takes, counted over all replicas. 0: as much as comes."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A provider's key that stands in the database; without `tenant_id` it is the platform's."""

    id: str
    secret: str = field(repr=False)
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at a provider. What is empty is as the provider's kind, or the model, has it."""

    provider: str
    upstream_model: str
    id: str = ""
    priority: int = 0
    """Lower ones are tried first."""
    weight: int = 1
    """Its share among those of the same priority; 0: only where all others failed."""
    base_url: str = ""
    """Gets the key that `credential_id` names, and no other."""
    api_version: str = ""
    credential_id: str = ""
    region: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    cost_nano_usd_per_million: int = 0
    """What a million output tokens cost the platform, for the conditions that tenants set; 0: not known."""
    limits: DeploymentLimits = DeploymentLimits()
    credential: Credential | None = None
    """Out of the database, for one call."""
    foreign: bool = False
    """`base_url` is a tenant's: it may not lead into the platform's own network."""
    without_stream_options: bool = False
    """Its server refuses `stream_options`: what streams used is estimated, not asked for."""

    @property
    def key(self) -> str:
        """What is remembered of it (a breaker, a pause, a limit) is remembered under this name."""
        name = self.id or f"{self.provider}/{self.upstream_model}"
        return f"{name}@{self.credential.id}" if self.credential else name


@dataclass(frozen=True, slots=True)
class Retirement:
    """That a model goes."""

    deprecated_at: datetime
    shutdown_at: datetime | None = None
    """Not before it is deprecated; None: not known."""


@dataclass(frozen=True, slots=True)
class Model:
    """A public name and where it is served, best first. A name with a `*` stands for every name that fits."""

    name: str
    deployments: tuple[Deployment, ...]
    capabilities: tuple[str, ...] = ()
    """What it can; asked for anything else it is refused. Empty: not known, whoever serves it says what it cannot."""
    context_length: int = 0
    created_at: datetime | None = None
    max_output_tokens: int = 0
    price_key: str = ""
    """Under which name usage_service prices it; empty: its own."""
    sticky: bool = False
    """Calls of a tenant that begin alike go to the same deployment, for the sake of its prompt cache."""
    deprecated_at: datetime | None = None
    """Since when, or from when on, nobody should begin to use it."""
    shutdown_at: datetime | None = None
    tenants: tuple[str, ...] = ()
    """For whom it is there; empty: for everybody."""

    @property
    def retirement(self) -> Retirement | None:
        """None of a model that stays."""
        since = self.deprecated_at or self.shutdown_at
        return Retirement(since, self.shutdown_at) if since else None
