"""What an answer out of the cache costs, whatever its model: ten dollars for a million, to begin with."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "usage_0005"
down_revision = "usage_0004"
branch_labels = None
depends_on = None

prices = sa.table(
    "prices",
    sa.column("provider"),
    sa.column("model"),
    sa.column("unit"),
    sa.column("nano_usd_per_million"),
    sa.column("effective_at"),
    sa.column("source"),
)


def upgrade() -> None:
    op.execute(
        prices.insert().values(
            provider="cache",
            model="response-cache",
            unit="cache_hits",
            nano_usd_per_million=10 * 10**9,
            effective_at=datetime(2026, 1, 1, tzinfo=UTC),
            source="list price of this platform",
        )
    )


def downgrade() -> None:
    op.execute(prices.delete().where(prices.c.provider == "cache"))
