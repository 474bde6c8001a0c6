"""Prices and markups. They are added, never changed."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from usage_service.domain.errors import PriceExists
from usage_service.domain.ledger import Unit
from usage_service.domain.prices import Markup, Price, Tier
from usage_service.repository.rows import Rows
from usage_service.repository.tables import markups, prices

# How many, too: of two that are added at once, the newer may be there first.
STAMP = sa.select(
    *(
        sa.select(figure).scalar_subquery()
        for table in (prices, markups)
        for figure in (sa.func.coalesce(sa.func.max(table.c.version), 0), sa.func.count(table.c.version))
    )
)


class PriceRows(Rows):
    """Queries on prices."""

    async def list_prices(self) -> list[Price]:
        rows = await self._db.execute(sa.select(prices).order_by(prices.c.effective_at, prices.c.version))
        return [
            Price(
                row.version, row.provider, row.model, Unit(row.unit), row.nano_usd_per_million, row.effective_at,
                row.source, row.tenant_id or "", tuple(Tier(*tier) for tier in row.tiers),
            )
            for row in rows
        ]  # fmt: skip

    async def add_price(self, price: Price) -> int:
        values = {
            "provider": price.provider, "model": price.model, "unit": price.unit.value, "source": price.source,
            "nano_usd_per_million": price.nano_usd_per_million, "effective_at": price.effective_at,
            "tenant_id": price.tenant_id or None,
            "tiers": [[tier.from_input_tokens, tier.nano_usd_per_million] for tier in price.tiers],
        }  # fmt: skip
        try:
            return int((await self._db.execute(prices.insert().returning(prices.c.version), values)).scalar_one())
        except IntegrityError as error:
            raise PriceExists from error

    async def list_markups(self) -> list[Markup]:
        rows = await self._db.execute(sa.select(markups).order_by(markups.c.effective_at, markups.c.version))
        return [Markup(row.version, row.tenant_id, row.basis_points, row.effective_at) for row in rows]

    async def add_markup(self, markup: Markup) -> int:
        values = {
            "tenant_id": markup.tenant_id, "basis_points": markup.basis_points, "effective_at": markup.effective_at,
        }  # fmt: skip
        try:
            return int((await self._db.execute(markups.insert().returning(markups.c.version), values)).scalar_one())
        except IntegrityError as error:
            raise PriceExists from error

    async def terms_stamp(self) -> tuple[int, ...]:
        return tuple((await self._db.execute(STAMP)).one())
