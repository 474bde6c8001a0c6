"""Keys that sign access tokens, and the queries on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair. The private half is encrypted and bound to the id.

    It signs from `active_at` on, until a newer one does, and its tokens are good until `retires_at`.
    """

    id: str
    public: bytes
    sealed: bytes
    created_at: datetime
    active_at: datetime
    retires_at: datetime | None = None


class KeyPairs(Protocol):
    """Makes key pairs, and signs with those that it was given."""

    def new(self) -> tuple[bytes, bytes]:
        """The private and the public half of a fresh pair, 32 bytes each."""

    def load(self, keys: Sequence[tuple[SigningKey, bytes]]) -> None:
        """From now on these are all there are, with their private halves."""


class Safe(Protocol):
    """Encrypts what is kept; chassis.envelope.Envelope is one."""

    def seal(self, plaintext: bytes, *binding: str) -> bytes: ...

    def open(self, sealed: bytes, *binding: str) -> bytes: ...

    def is_current(self, sealed: bytes) -> bool: ...


class SigningKeyQueries(Protocol):
    """Queries on signing keys: the platform's, of no tenant."""

    async def lock_signing_keys(self) -> list[SigningKey]:
        """All, newest first; nobody else changes them until the transaction ends."""

    async def list_signing_keys(self, now: datetime) -> list[SigningKey]:
        """Those that are not retired, newest first."""

    async def add_signing_key(self, key: SigningKey) -> None: ...

    async def retire_signing_key(self, key_id: str, at: datetime) -> None: ...

    async def seal_signing_key(self, key_id: str, sealed: bytes) -> None:
        """Replaces the encrypted private half."""

    async def drop_signing_keys(self, before: datetime) -> None:
        """Forgets those that retired before then."""
