"""Starter prices compared again with public tables: tokens out of OpenAI's cache of prompts cost what they cost, and a
model at Hugging Face as much as the dearest provider that its router may choose, so that none is sold below its cost.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "usage_0008"
down_revision = "usage_0007"
branch_labels = None
depends_on = None

TABLE = Path(__file__).with_name("prices_2026_11_26.json")
STARTER = datetime(2026, 1, 1, tzinfo=UTC)
SINCE = datetime(2026, 11, 26, tzinfo=UTC)
TOLD = """
    UPDATE prices SET source = :source WHERE tenant_id IS NULL AND provider = :provider AND model = :model
    AND unit = :unit AND nano_usd_per_million = :nano AND effective_at = :starter
"""
# What the operator priced meanwhile stays as it is.
ADDED = """
    INSERT INTO prices (provider, model, unit, nano_usd_per_million, effective_at, source)
    SELECT :provider, :model, :unit, :nano, :since, :source WHERE NOT EXISTS (
        SELECT FROM prices WHERE tenant_id IS NULL AND provider = :provider AND model = :model AND unit = :unit
        AND (effective_at <> :starter OR nano_usd_per_million = :nano))
    ON CONFLICT (provider, model, unit, effective_at) WHERE tenant_id IS NULL DO NOTHING
"""


def upgrade() -> None:
    told, added = sa.text(TOLD), sa.text(ADDED)
    for provider, model, unit, dollars, source in json.loads(TABLE.read_text())["prices"]:
        row = {"provider": provider, "model": model, "unit": unit, "source": source, "starter": STARTER}
        row |= {"nano": int(Decimal(dollars) * 10**9)}
        op.get_bind().execute(told, row)
        op.get_bind().execute(added, row | {"since": SINCE})


def downgrade() -> None:
    remove = sa.text("DELETE FROM prices WHERE tenant_id IS NULL AND effective_at = :since AND source = :source")
    for *_, source in json.loads(TABLE.read_text())["prices"]:
        op.get_bind().execute(remove, {"since": SINCE, "source": source})
