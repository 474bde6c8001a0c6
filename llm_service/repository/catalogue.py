"""Queries on the catalogue."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_service.domain.models import Deployment, Model
from llm_service.repository.tables import deployments, models


class CatalogueRows:
    """The catalogue is every tenant's."""

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
