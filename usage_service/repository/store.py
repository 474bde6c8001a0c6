"""Transactions on the service's database, with all queries that can be made in one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.database import PLATFORM, Database
from chassis.jobs import Jobs
from usage_service.repository.budgets import BudgetRows
from usage_service.repository.days import DayRows
from usage_service.repository.events import EventRows
from usage_service.repository.moves import MoveRows
from usage_service.repository.plans import PlanRows
from usage_service.repository.prices import PriceRows
from usage_service.repository.proof import ProofRows
from usage_service.repository.webhooks import WebhookRows


class PostgresRepository(PlanRows, PriceRows, MoveRows, EventRows, DayRows, ProofRows, BudgetRows, WebhookRows):
    """Queries of one transaction."""


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            yield PostgresRepository(connection, self._jobs)

    @asynccontextmanager
    async def platform(self, seconds: int | None = None) -> AsyncIterator[PostgresRepository]:
        settings = {"statement_timeout": f"{seconds}s"} if seconds else {}
        async with self._database.transaction(PLATFORM, settings=settings) as connection:
            yield PostgresRepository(connection, self._jobs)
