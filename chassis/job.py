"""A piece of work that goes on behind a request, as its handler sees it. `chassis.jobs` keeps and runs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work; `attempt` counts from 1, and a handler does it from its start each time."""

    id: str
    kind: str
    tenant_id: str
    payload: Mapping[str, Any]
    attempt: int
