"""Queries on what tenants have of their own: keys, aliases, rules."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_service.domain.errors import AliasNotFound, ProviderKeyExists, ProviderKeyInUse, ProviderKeyNotFound
from llm_service.domain.tenancy import ModelRules, ProviderKey, Tenancy
from llm_service.repository.tables import model_aliases, model_rules, provider_keys

OF_KEYS = ("id", "provider", "name", "sealed", "hint", "base_url", "api_version", "falls_back")


class TenancyRows:
    """Queries of one tenant; the platform's own keys have none."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection

    async def tenancy(self, tenant_id: str) -> Tenancy:
        query = sa.select(model_rules).where(model_rules.c.tenant_id == tenant_id)
        rules = (await self._db.execute(query)).mappings().first()
        aliases = await self._db.execute(
            sa.select(model_aliases.c.alias, model_aliases.c.target)
            .where(model_aliases.c.tenant_id == tenant_id)
            .order_by(model_aliases.c.alias)
        )
        return Tenancy(
            _rules(rules) if rules else ModelRules(),
            {row.alias: row.target for row in aliases},
            {key.provider: key for key in await self.provider_keys(tenant_id)},
        )

    async def put_rules(self, tenant_id: str, rules: ModelRules) -> None:
        values = {
            "granted": None if rules.granted is None else list(rules.granted),
            "allowed": None if rules.allowed is None else list(rules.allowed),
            "regions": list(rules.regions),
            "max_cost_nano_usd_per_million": rules.max_cost_nano_usd_per_million,
        }
        added = insert(model_rules).values(tenant_id=tenant_id, **values)
        await self._db.execute(added.on_conflict_do_update(index_elements=["tenant_id"], set_=values))

    async def put_alias(self, tenant_id: str, alias: str, target: str) -> None:
        added = insert(model_aliases).values(tenant_id=tenant_id, alias=alias, target=target)
        await self._db.execute(
            added.on_conflict_do_update(index_elements=["tenant_id", "alias"], set_={"target": target})
        )

    async def remove_alias(self, tenant_id: str, alias: str) -> None:
        mine = sa.and_(model_aliases.c.tenant_id == tenant_id, model_aliases.c.alias == alias)
        if not (await self._db.execute(model_aliases.delete().where(mine))).rowcount:
            raise AliasNotFound

    async def provider_keys(self, tenant_id: str) -> list[ProviderKey]:
        query = sa.select(provider_keys).where(_of(tenant_id))
        rows = await self._db.execute(query.order_by(provider_keys.c.provider, provider_keys.c.name))
        return [_key(row) for row in rows.mappings()]

    async def add_provider_key(self, key: ProviderKey) -> ProviderKey:
        values = {name: getattr(key, name) for name in OF_KEYS} | {"tenant_id": key.tenant_id or None}
        try:
            added = await self._db.execute(provider_keys.insert().values(values).returning(provider_keys))
        except IntegrityError as error:
            raise ProviderKeyExists from error
        return _key(added.mappings().one())

    async def replace_provider_key(self, tenant_id: str, key_id: str, sealed: bytes, hint: str) -> ProviderKey:
        changed = await self._db.execute(
            provider_keys.update()
            .where(_of(tenant_id), provider_keys.c.id == key_id)
            .values(sealed=sealed, hint=hint, updated_at=sa.func.now())
            .returning(provider_keys)
        )
        row = changed.mappings().first()
        if row is None:
            raise ProviderKeyNotFound
        return _key(row)

    async def remove_provider_key(self, tenant_id: str, key_id: str) -> ProviderKey:
        mine = sa.and_(_of(tenant_id), provider_keys.c.id == key_id)
        try:
            removed = await self._db.execute(provider_keys.delete().where(mine).returning(provider_keys))
        except IntegrityError as error:
            raise ProviderKeyInUse from error
        row = removed.mappings().first()
        if row is None:
            raise ProviderKeyNotFound
        return _key(row)


def _of(tenant_id: str) -> sa.ColumnElement[bool]:
    return provider_keys.c.tenant_id == tenant_id if tenant_id else provider_keys.c.tenant_id.is_(None)


def _rules(found: sa.RowMapping) -> ModelRules:
    return ModelRules(
        None if found["granted"] is None else tuple(found["granted"]),
        None if found["allowed"] is None else tuple(found["allowed"]),
        tuple(found["regions"]),
        found["max_cost_nano_usd_per_million"],
    )


def _key(found: sa.RowMapping) -> ProviderKey:
    return ProviderKey(
        **{name: found[name] for name in OF_KEYS},
        tenant_id=found["tenant_id"] or "",
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )
