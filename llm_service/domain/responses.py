"""Stored responses: what was asked and answered, so that a later request can go on with it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """One turn. `turns` and `chain_bytes` count it and all before it."""

    tenant_id: str
    id: str
    previous_id: str
    """Empty at a conversation's beginning."""
    input: bytes
    """The items of this request (a JSON array), each with an id."""
    document: bytes
    """The response (JSON), as its client has it."""
    turns: int
    chain_bytes: int
    expires_at: datetime
