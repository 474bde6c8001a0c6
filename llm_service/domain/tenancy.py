"""What a tenant has of its own: keys of providers, aliases of models, and which models it may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A provider's key as it is kept: sealed. Without `tenant_id` the platform's, for deployments that name it."""

    id: str
    tenant_id: str
    provider: str
    name: str
    sealed: bytes = field(repr=False)
    hint: str
    """The last characters, by which people know it again."""
    base_url: str = ""
    api_version: str = ""
    falls_back: bool = False
    """Whether the platform's own deployments serve, at their price, where this key's provider fails."""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelRules:
    """Which models a tenant may use. None: all; else names, or patterns with a `*`."""

    granted: tuple[str, ...] | None = None
    """Set by an operator."""
    allowed: tuple[str, ...] | None = None
    """Set by the tenant's admin, within what is granted."""
    regions: tuple[str, ...] = ()
    """Of the platform's deployments, where there is one to choose; empty: all."""
    max_cost_nano_usd_per_million: int = 0
    """As regions; 0: no bound."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """All of it, of one tenant."""

    rules: ModelRules = ModelRules()
    aliases: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, ProviderKey] = field(default_factory=dict)
    """By provider."""
