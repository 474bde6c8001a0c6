"""The tables of the catalogue and every query on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import PLATFORM, Database, new_metadata
from llm_service.domain import Deployment, Model

metadata = new_metadata()

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("capabilities", ARRAY(sa.Text), nullable=False),
    sa.Column("context_length", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
)
deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("model", sa.Text, sa.ForeignKey("models.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("priority", sa.Integer, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("upstream_model", sa.Text, nullable=False),
)


class PostgresRepository:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection

    async def list_models(self) -> list[Model]:
        places: dict[str, list[Deployment]] = {}
        query = sa.select(deployments).order_by(deployments.c.model, deployments.c.priority)
        for row in await self._db.execute(query):
            places.setdefault(row.model, []).append(Deployment(row.provider, row.upstream_model))
        rows = await self._db.execute(sa.select(models).order_by(models.c.name))
        return [
            Model(row.name, tuple(places[row.name]), tuple(row.capabilities), row.context_length, row.created_at)
            for row in rows
            if row.name in places
        ]


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(PLATFORM) as connection:
            yield PostgresRepository(connection)
