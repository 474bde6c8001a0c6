"""Transactions on the service's database, with all queries that can be made in one.

What a transaction did is written down when it ends: first the audit log, a chain at a time in the order of their ids,
then the changes that gateways hear of. So locks are always taken in the same order, held shortly, and never cross.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from auth_service.domain.audit import AuditTrail, Deed
from auth_service.domain.changes import Subject
from auth_service.repository.attempts import AttemptRows
from auth_service.repository.audit import AuditRows
from auth_service.repository.changes import ChangeRows
from auth_service.repository.deletions import DeletionRows
from auth_service.repository.invitations import InvitationRows
from auth_service.repository.issuers import IssuerRows
from auth_service.repository.keys import ApiKeyRows
from auth_service.repository.links import JobRows, LinkRows
from auth_service.repository.people import MemberRows, PeopleRows
from auth_service.repository.sessions import SessionRows
from auth_service.repository.signing import SigningKeyRows
from auth_service.repository.tenants import TenantRows
from chassis.database import PLATFORM, Database
from chassis.jobs import Jobs


class PostgresRepository(
    TenantRows,
    PeopleRows,
    MemberRows,
    InvitationRows,
    LinkRows,
    IssuerRows,
    AttemptRows,
    SessionRows,
    ApiKeyRows,
    ChangeRows,
    AuditRows,
    JobRows,
    SigningKeyRows,
    DeletionRows,
):
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection, jobs: Jobs) -> None:
        super().__init__(connection, jobs)
        self._deeds: dict[str, list[Deed]] = {}
        self._changes: list[tuple[Subject, str]] = []

    def record(self, tenant_id: str, deed: Deed) -> None:
        self._deeds.setdefault(tenant_id, []).append(deed)

    async def add_changes(self, changes: Sequence[tuple[Subject, str]]) -> None:
        self._changes += changes

    async def write_down(self, trail: AuditTrail) -> None:
        """Before the transaction commits: what was recorded and what changed."""
        for tenant_id, deeds in sorted(self._deeds.items()):
            await self.append_audit_events(tenant_id, deeds, trail)
        await self.write_changes(self._changes)


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database, jobs: Jobs, trail: AuditTrail) -> None:
        self._database = database
        self._jobs = jobs
        self._trail = trail

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            repository = PostgresRepository(connection, self._jobs)
            yield repository
            await repository.write_down(self._trail)

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(PLATFORM) as connection:
            repository = PostgresRepository(connection, self._jobs)
            yield repository
            await repository.write_down(self._trail)
