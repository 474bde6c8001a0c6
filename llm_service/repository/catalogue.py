"""Queries on the catalogue, which is every tenant's."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from llm_service.domain.errors import ModelExists, ModelNotFound
from llm_service.domain.models import Deployment, DeploymentLimits, Model
from llm_service.repository.rows import Rows
from llm_service.repository.tables import deployments, models

OF_DEPLOYMENTS = (
    "id",
    "priority",
    "weight",
    "provider",
    "upstream_model",
    "base_url",
    "api_version",
    "region",
    "context_length",
    "cost_nano_usd_per_million",
    "without_stream_options",
)
OF_MODELS = (
    "name",
    "context_length",
    "created_at",
    "max_output_tokens",
    "price_key",
    "sticky",
    "deprecated_at",
    "shutdown_at",
)
OF_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")


class CatalogueRows(Rows):
    """Names and where they are served."""

    async def list_models(self) -> list[Model]:
        places: dict[str, list[Deployment]] = {}
        query = sa.select(deployments).order_by(deployments.c.model, deployments.c.priority, deployments.c.position)
        for row in (await self._db.execute(query)).mappings():
            places.setdefault(row["model"], []).append(_deployment(row))
        rows = (await self._db.execute(sa.select(models).order_by(models.c.name))).mappings()
        return [_model(row, places[row["name"]]) for row in rows if row["name"] in places]

    async def put_model(self, model: Model, *, new: bool) -> None:
        values = {name: getattr(model, name) for name in OF_MODELS if name != "created_at"}
        values |= {"capabilities": list(model.capabilities), "tenants": list(model.tenants)}
        if new:
            try:
                await self._db.execute(models.insert().values(values))
            except IntegrityError as error:
                raise ModelExists from error
        else:
            changed = await self._db.execute(models.update().where(models.c.name == model.name).values(values))
            if not changed.rowcount:
                raise ModelNotFound
            await self._db.execute(deployments.delete().where(deployments.c.model == model.name))
        rows = [_row(model.name, position, one) for position, one in enumerate(model.deployments)]
        await self._db.execute(deployments.insert(), rows)

    async def remove_model(self, name: str) -> None:
        if not (await self._db.execute(models.delete().where(models.c.name == name))).rowcount:
            raise ModelNotFound

    async def forget_tenant(self, tenant_id: str) -> int:
        # A list that became empty would open the row to everybody.
        its_own = models.c.tenants.contains([tenant_id])
        alone = await self._db.execute(models.delete().where(its_own, sa.func.cardinality(models.c.tenants) == 1))
        left = sa.func.array_remove(models.c.tenants, tenant_id)
        among = await self._db.execute(models.update().where(its_own).values(tenants=left))
        return int(alone.rowcount + among.rowcount)


def _deployment(found: sa.RowMapping) -> Deployment:
    return Deployment(
        **{name: found[name] for name in OF_DEPLOYMENTS},
        credential_id=found["credential_id"] or "",
        capabilities=tuple(found["capabilities"]),
        limits=DeploymentLimits(**{name: found[name] for name in OF_LIMITS}),
    )


def _model(found: sa.RowMapping, places: list[Deployment]) -> Model:
    return Model(
        **{name: found[name] for name in OF_MODELS},
        deployments=tuple(places),
        capabilities=tuple(found["capabilities"]),
        tenants=tuple(found["tenants"]),
    )


def _row(model: str, position: int, deployment: Deployment) -> dict[str, object]:
    return {
        **{name: getattr(deployment, name) for name in OF_DEPLOYMENTS},
        **{name: getattr(deployment.limits, name) for name in OF_LIMITS},
        "model": model,
        "position": position,
        "credential_id": deployment.credential_id or None,
        "capabilities": list(deployment.capabilities),
    }
