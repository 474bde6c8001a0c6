"""The catalogue's nouns: public names of models, and where each is served."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Health(Enum):
    """Whether a provider works."""

    OK = "ok"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at a provider."""

    provider: str
    upstream_model: str


@dataclass(frozen=True, slots=True)
class Model:
    """A public name and where it is served, best first."""

    name: str
    deployments: tuple[Deployment, ...]
    capabilities: tuple[str, ...] = ("chat", "stream")
    context_length: int = 0
    created_at: datetime | None = None
