"""The audit log: what was done, by whom, from where; and the chain that shows when a row was changed later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

PLATFORM_CHAIN = "00000000-0000-0000-0000-000000000000"
"""Stands for a tenant where something of the platform itself was changed: its plans, prices, keys."""


class Outcome(Enum):
    """How far a deed got. What auth_service does itself is done in the row's own transaction."""

    REQUESTED = "requested"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, and from where. Out of the signed context, so that no use case can say otherwise."""

    kind: str
    """user, api_key, operator or system."""
    user_id: str = ""
    key_id: str = ""
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to what. `before` and `after`: only what changed, and never a secret."""

    action: str
    """noun.verb, for example api_key.create."""
    resource_id: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    outcome: Outcome = Outcome.DONE
    user_id: str = ""
    """Who acts, where the context cannot know yet: at a registration or a log-in."""


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of a tenant's chain. `signature` is over all of it, under the key that `key_id` names."""

    tenant_id: str
    sequence: int
    hash: bytes
    key_id: str = ""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One row. `document` is its canonical JSON, and `hash` the SHA-256 of exactly that."""

    tenant_id: str
    sequence: int
    at: datetime
    document: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows; empty strings and None do not narrow."""

    action: str = ""
    """An action, or the noun before its dot."""
    resource_id: str = ""
    user_id: str = ""
    key_id: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditTrail(Protocol):
    """Makes rows out of deeds, each bound to the one before."""

    def seal(self, head: AuditHead, deeds: Sequence[Deed]) -> tuple[list[AuditEvent], AuditHead]:
        """The rows that follow `head`, and the new head."""


class AuditQueries(Protocol):
    """Queries on the audit log. Rows are added, and never changed or removed."""

    def record(self, tenant_id: str, deed: Deed) -> None:
        """Written when the transaction ends, and only if it does well."""

    async def list_audit_events(self, tenant_id: str, which: AuditFilter, size: int, below: int) -> list[AuditEvent]:
        """Newest first, one more than `size`; with a sequence less than `below`, unless that is 0."""

    async def read_audit_events(self, tenant_id: str, which: AuditFilter, size: int, above: int) -> list[AuditEvent]:
        """Oldest first, at most `size`, with a sequence greater than `above`."""

    async def audit_head(self, tenant_id: str) -> AuditHead | None:
        """None while nothing was ever recorded."""

    async def audit_chains(self) -> list[str]:
        """The tenants that have one; in all tenants."""

    async def sign_audit_head(self, tenant_id: str, head: AuditHead) -> None:
        """Replaces the signature, if the chain still ends there."""
