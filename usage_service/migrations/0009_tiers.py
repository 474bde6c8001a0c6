"""Prices by length of context: a version of a price may have tiers, from how many tokens that a call reads each holds.

Of the models that the starter prices know one has them: OpenAI sells gpt-5.4 at twice the price of input and one and a
half times that of output to calls of more than 272,000 tokens. Claude Sonnet 4 and 4.5 read 200,000 at most, and later
ones cost the same at any length.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "usage_0009"
down_revision = "usage_0008"
branch_labels = None
depends_on = None

SINCE = datetime(2026, 11, 26, 1, tzinfo=UTC)
FROM = 272_001
TIERED = {
    "input_tokens": (2_500_000_000, 5_000_000_000),
    "cached_input_tokens": (250_000_000, 500_000_000),
    "output_tokens": (15_000_000_000, 22_500_000_000),
}
SOURCE = "developers.openai.com/api/docs/models/gpt-5.4, as stored publicly, compared 2026-11-26"
# What the operator priced otherwise stays as it is.
ADDED = """
    INSERT INTO prices (provider, model, unit, nano_usd_per_million, effective_at, source, tiers)
    SELECT 'openai', 'gpt-5.4', CAST(:unit AS text), :base, :since, :source, CAST(:tiers AS jsonb)
    WHERE (SELECT nano_usd_per_million FROM prices WHERE tenant_id IS NULL AND provider = 'openai'
        AND model = 'gpt-5.4' AND unit = :unit ORDER BY effective_at DESC LIMIT 1) = :base
    ON CONFLICT (provider, model, unit, effective_at) WHERE tenant_id IS NULL DO NOTHING
"""


def upgrade() -> None:
    op.add_column("prices", sa.Column("tiers", JSONB(), server_default="[]", nullable=False))
    for unit, (base, longer) in TIERED.items():
        row = {"unit": unit, "base": base, "since": SINCE, "source": SOURCE, "tiers": f"[[{FROM}, {longer}]]"}
        op.get_bind().execute(sa.text(ADDED), row)


def downgrade() -> None:
    remove = sa.text("DELETE FROM prices WHERE tenant_id IS NULL AND effective_at = :since AND source = :source")
    op.get_bind().execute(remove, {"since": SINCE, "source": SOURCE})
    op.drop_column("prices", "tiers")
