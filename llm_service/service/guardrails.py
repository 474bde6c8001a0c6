"""Guardrails: made, changed, tried and taken away by a tenant's admins."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from llm_service.domain.errors import GuardrailNotFound, TooManyGuardrails
from llm_service.domain.guardrails import GuardMaker, Guardrail, Phase, Report
from llm_service.domain.store import Store, Vault
from llm_service.policy import guardrails as policy
from llm_service.service.screens import Meant, is_for, report, screens


class Guardrails:
    """`most`: how many a tenant may have."""

    def __init__(
        self,
        store: Store,
        maker: GuardMaker,
        meant: Meant,
        vault: Vault,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        most: int,
    ) -> None:
        self._store = store
        self._maker = maker
        self._meant = meant
        self._vault = vault
        self._clock = clock
        self._new_id = new_id
        self._most = most

    async def create(self, wanted: Guardrail, authorization: str) -> Guardrail:
        """`wanted` without id and time. BadGuardrail, TooManyGuardrails, UrlRefused, AddressRefused."""
        made = self._sealed(replace(wanted, id=self._new_id(), created_at=self._clock()), authorization)
        await self._check(made)
        async with self._store.transaction(made.tenant_id) as repository:
            if len(await repository.list_guardrails(made.tenant_id)) >= self._most:
                raise TooManyGuardrails(f"A tenant has at most {self._most} guardrails.")
            await repository.put_guardrail(made)
        return made

    async def list(self, tenant_id: str) -> list[Guardrail]:
        """In the order in which they are asked."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.list_guardrails(tenant_id)

    async def get(self, tenant_id: str, guardrail_id: str) -> Guardrail:
        """GuardrailNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_guardrail(tenant_id, guardrail_id)
        if found is None:
            raise GuardrailNotFound
        return found

    async def update(self, wanted: Guardrail, authorization: str) -> Guardrail:
        """All of it but id and time; no `authorization` keeps the one that is there. Errors as above."""
        there = await self.get(wanted.tenant_id, wanted.id)
        kept = there.credential if there.kind is wanted.kind else b""
        changed = self._sealed(replace(wanted, created_at=there.created_at, credential=kept), authorization)
        await self._check(changed)
        async with self._store.transaction(changed.tenant_id) as repository:
            if await repository.get_guardrail(changed.tenant_id, changed.id) is None:
                raise GuardrailNotFound
            await repository.put_guardrail(changed)
        return changed

    async def delete(self, tenant_id: str, guardrail_id: str) -> None:
        """GuardrailNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.delete_guardrail(tenant_id, guardrail_id):
                raise GuardrailNotFound

    async def test(self, tenant_id: str, phase: Phase, text: str, model: str) -> Report:
        """What the enabled ones would do to a text. GuardrailUnavailable."""
        found = await self.list(tenant_id)
        rows = [row for row in found if row.enabled and await is_for(row, model, self._meant)]
        made = screens([(row, self._maker.make(row)) for row in rows])
        return await report(made.input if phase is Phase.INPUT else made.output, text, model)

    async def _check(self, guardrail: Guardrail) -> None:
        policy.check(guardrail)
        # A first guardrail of its kind may load what takes a second.
        await asyncio.to_thread(self._maker.check, guardrail)

    def _sealed(self, guardrail: Guardrail, authorization: str) -> Guardrail:
        if not authorization:
            return guardrail
        if len(authorization) > policy.MAX_CREDENTIAL or not authorization.isascii() or not authorization.isprintable():
            raise policy.bad("authorization", f"must have at most {policy.MAX_CREDENTIAL} printable ASCII characters")
        sealed = self._vault.seal(authorization.encode(), guardrail.tenant_id, guardrail.id)
        return replace(guardrail, credential=sealed)
