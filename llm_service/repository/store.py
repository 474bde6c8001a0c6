"""Opens transactions on the service's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.database import PLATFORM, Database
from llm_service.repository.catalogue import CatalogueRows
from llm_service.repository.guardrails import GuardrailRows
from llm_service.repository.responses import ResponseRows
from llm_service.repository.tenancy import TenancyRows


class PostgresRepository(CatalogueRows, TenancyRows, GuardrailRows, ResponseRows):
    """Queries of one transaction."""


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(PLATFORM) as connection:
            yield PostgresRepository(connection)

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            yield PostgresRepository(connection)
