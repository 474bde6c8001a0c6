"""Keys that sign access tokens: made, rotated with an overlap, encrypted anew; and the signer kept up to date.

A new key is published before it signs, and an old one stays published until the last token that it signed has ended:
so a rotation refuses nobody. After a theft the old keys are thrown away at once, and everybody refreshes.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth_service.domain.audit import PLATFORM_CHAIN, Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import NoSigningKeys
from auth_service.domain.signing import KeyPairs, Safe, SigningKey
from auth_service.domain.store import Repository, Store

MARGIN = timedelta(minutes=1)
"""For clocks that differ."""


@dataclass(frozen=True, slots=True)
class RotationRules:
    """`used`: whether tokens are signed with key pairs at all. `lead`: from publishing a key to signing with it.
    `life`: of the tokens.
    """

    used: bool
    lead: timedelta
    life: timedelta


class SigningKeys:
    """The platform's own; the servicer lets only operators and the gateway in."""

    def __init__(
        self, store: Store, safe: Safe, pairs: KeyPairs, rules: RotationRules, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._safe = safe
        self._pairs = pairs
        self._rules = rules
        self._clock = clock
        self._loaded: list[SigningKey] | None = None

    async def living(self) -> list[SigningKey]:
        """Those whose tokens are good, or will be; none where tokens are signed with the secret."""
        if not self._rules.used:
            return []
        async with self._store.platform() as repository:
            return await repository.list_signing_keys(self._clock())

    async def rotate(self, *, at_once: bool) -> SigningKey:
        """A new key; the old ones sign until it is published everywhere. `at_once`: they were stolen, and end now.

        NoSigningKeys where tokens are signed with the secret.
        """
        if not self._rules.used:
            raise NoSigningKeys
        async with self._store.platform() as repository:
            made = await self._rotated(repository, await repository.lock_signing_keys(), at_once=at_once)
        await self.refresh()
        return made

    async def refresh(self) -> None:
        """Loads what there is into the signer, and makes the first key where there is none."""
        if not self._rules.used:
            return
        found = await self.living()
        if not found:
            async with self._store.platform() as repository:
                if not await repository.lock_signing_keys():
                    await self._rotated(repository, [], at_once=True)
            found = await self.living()
        if found != self._loaded:
            self._pairs.load([(key, self._safe.open(key.sealed, key.id)) for key in found])
            self._loaded = found

    async def encrypt_anew(self) -> int:
        """Encrypts every private half that is not under the current key; how many were."""
        now = self._clock()
        async with self._store.platform() as repository:
            kept = [key for key in await repository.lock_signing_keys() if not key.retires_at or key.retires_at > now]
            old = [key for key in kept if not self._safe.is_current(key.sealed)]
            for key in old:
                fresh = self._safe.seal(self._safe.open(key.sealed, key.id), key.id)
                await repository.seal_signing_key(key.id, fresh)
            if old:
                told = {"signing_keys": [key.id for key in old]}
                repository.record(PLATFORM_CHAIN, Deed("encryption.renew", after=told))
        return len(old)

    async def _rotated(self, repository: Repository, old: list[SigningKey], *, at_once: bool) -> SigningKey:
        now = self._clock()
        active = now if at_once else now + self._rules.lead
        private, public = self._pairs.new()
        key_id = f"ed25519-{secrets.token_hex(8)}"
        key = SigningKey(key_id, public, self._safe.seal(private, key_id), now, active)
        await repository.add_signing_key(key)
        ends = now if at_once else active + self._rules.life + MARGIN
        for one in old:
            if one.retires_at is None or one.retires_at > ends:
                await repository.retire_signing_key(one.id, ends)
        await repository.drop_signing_keys(now - MARGIN)
        told = {"active_at": active.isoformat(), "at_once": at_once}
        repository.record(PLATFORM_CHAIN, Deed("signing_key.rotate", key.id, after=told))
        await repository.add_changes([(Subject.SIGNING_KEYS, key.id)])
        return key
