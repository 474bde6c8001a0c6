"""Tenants deleted by their owner or by an operator; taken back; and carried out with the gateway, which calls the rest.

What is to be removed is durable here, and nothing is done twice over that must not be: whoever took it and died leaves
it to the next after a minute, and every service removes what there is as often as it is asked.
"""

from dataclasses import replace
from uuid import uuid4

import structlog

from auth_service.domain.audit import PLATFORM_CHAIN, Deed
from auth_service.domain.changes import Subject
from auth_service.domain.deletions import OWN, Deletion, Step
from auth_service.domain.errors import (
    DeletionBegun,
    DeletionNotFound,
    OperatorsTenant,
    OwnerOnly,
    SessionNeeded,
    SessionTooOld,
    TenantNotFound,
)
from auth_service.domain.people import Actor, Visitor
from auth_service.domain.store import Repository, Store
from auth_service.domain.tenants import TenantStatus
from auth_service.policy import deletions, names
from auth_service.policy.deletions import DeletionRules
from auth_service.service.clock import Clock
from auth_service.service.sessions import Sessions
from chassis.pagination import Page, PageRequest

log = structlog.get_logger()


class Deletions:
    """A deletion's id is given to whoever asked for it, and to nobody else: who has it may know how far it is."""

    def __init__(self, store: Store, sessions: Sessions, rules: DeletionRules, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._rules = rules
        self._clock = clock

    async def delete_own(self, actor: Actor, confirm: str, password: str) -> Deletion:
        """The caller's tenant. OwnerOnly, SessionNeeded, SessionTooOld, NotConfirmed, BadCredentials, OperatorsTenant,
        TooManyAttempts, LoginBusy.
        """
        if not actor.session_id:
            raise SessionNeeded
        async with self._store.transaction(actor.tenant_id) as repository:
            own = await repository.get_member(actor.tenant_id, actor.user_id)
            tenant = await repository.get_tenant(actor.tenant_id)
            if own is None or tenant is None or own.role != "owner":
                raise OwnerOnly
            deletions.check_meant(confirm, tenant)
            has_password = bool(await repository.password_hash(actor.user_id))
            opened = await repository.session_opened_at(actor.tenant_id, actor.session_id)
        if has_password:
            await self._sessions.check_password(own.email, password, Visitor(actor.address))
        elif opened is None or self._clock() - opened > deletions.YOUNG:
            raise SessionTooOld
        return await self._close(actor.tenant_id, confirm)

    async def delete_any(self, tenant_id: str, confirm: str) -> Deletion:
        """For operators. TenantNotFound, NotConfirmed, OperatorsTenant."""
        return await self._close(tenant_id, confirm)

    async def keep(self, tenant_id: str) -> None:
        """Takes a deletion back that only waits. DeletionNotFound, DeletionBegun."""
        async with self._store.platform() as repository:
            found = await repository.deletion_of(tenant_id) if names.is_id(tenant_id) else None
            if found is None:
                raise DeletionNotFound
            # Whoever took it holds its lock, or has moved `next_at`.
            if found.starts_at <= self._clock():
                raise DeletionBegun
            await repository.drop_deletion(found.id)
            await repository.update_tenant(tenant_id, name=None, plan=None, status=found.was, grow=True)
            for chain in (tenant_id, PLATFORM_CHAIN):
                repository.record(chain, Deed("tenant.keep", tenant_id, after={"deletion_id": found.id}))
            await repository.add_changes([(Subject.TENANT, tenant_id)])

    async def get(self, deletion_id: str) -> Deletion:
        """DeletionNotFound."""
        async with self._store.platform() as repository:
            found = await repository.get_deletion(deletion_id) if names.is_id(deletion_id) else None
        if found is None:
            raise DeletionNotFound
        return found

    async def list(self, request: PageRequest) -> Page[Deletion]:
        """Newest first."""
        async with self._store.platform() as repository:
            rows = await repository.list_deletions(request.size, request.after)
        return request.page(rows, lambda row: (round(row.requested_at.timestamp() * 1_000_000), row.id))

    async def claim(self) -> Deletion | None:
        """One to carry out, for a minute; None if there is none."""
        now = self._clock()
        async with self._store.platform() as repository:
            found = await repository.due_deletion(now)
            if found is not None:
                await repository.put_deletion(replace(found, next_at=now + deletions.LEASE))
        return found

    async def report(self, deletion_id: str, reports: dict[str, Step]) -> None:
        """What became of the services. When nothing is left in any, what is kept here goes, too. DeletionNotFound."""
        now = self._clock()
        async with self._store.platform() as repository:
            found = await repository.get_deletion(deletion_id, lock=True) if names.is_id(deletion_id) else None
            if found is None:
                raise DeletionNotFound
            if found.erased_at is not None:
                return
            found = deletions.reported(found, reports, now)
            if not deletions.open_services(found):
                found = await self._end_round(repository, found)
            await repository.put_deletion(found)

    async def _end_round(self, repository: Repository, found: Deletion) -> Deletion:
        removed = await repository.erase_tenant(found.tenant_id)
        found = deletions.reported(found, {OWN: Step(OWN, done=True, removed=removed)}, self._clock())
        found = deletions.round_done(found, self._clock(), self._rules)
        await repository.add_changes([(Subject.TENANT, found.tenant_id)])
        told = {step.service: dict(step.removed) for step in found.steps}
        done = Deed("tenant.erase", found.tenant_id, after={"round": found.rounds, "removed": told})
        for chain in (found.tenant_id, PLATFORM_CHAIN):
            repository.record(chain, done)
        log.info("a tenant was erased", deletion_id=found.id, tenant_id=found.tenant_id, rounds=found.rounds)
        return found

    async def _close(self, tenant_id: str, confirm: str) -> Deletion:
        async with self._store.platform() as repository:
            if not names.is_id(tenant_id):
                raise TenantNotFound
            await repository.lock_tenant(tenant_id)
            tenant = await repository.get_tenant(tenant_id)
            if tenant is None:
                raise TenantNotFound
            deletions.check_meant(confirm, tenant)
            known = await repository.deletion_of(tenant_id)
            if known is not None:
                return known
            if await repository.lone_operators(tenant_id):
                raise OperatorsTenant
            deletion = deletions.begun(str(uuid4()), tenant, self._clock(), self._rules)
            await repository.add_deletion(deletion)
            await repository.update_tenant(tenant_id, name=None, plan=None, status=TenantStatus.DELETING, grow=True)
            told = {"deletion_id": deletion.id, "starts_at": deletion.starts_at.isoformat()}
            for chain in (tenant_id, PLATFORM_CHAIN):
                repository.record(chain, Deed("tenant.delete", tenant_id, {"status": tenant.status.value}, told))
            await repository.add_changes([(Subject.TENANT, tenant_id)])
        return deletion
