"""Transactions on the service's database, with all queries that can be made in one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_service.repository.changes import ChangeRows
from auth_service.repository.keys import ApiKeyRows
from auth_service.repository.people import PeopleRows
from auth_service.repository.sessions import SessionRows
from auth_service.repository.tenants import TenantRows
from chassis.database import PLATFORM, Database


class PostgresRepository(TenantRows, PeopleRows, SessionRows, ApiKeyRows, ChangeRows):
    """Queries of one transaction."""


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            yield PostgresRepository(connection)

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(PLATFORM) as connection:
            yield PostgresRepository(connection)
