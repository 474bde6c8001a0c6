"""Searches of the web that a provider makes for an answer have a price: they are on its bill beside the tokens."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "usage_0012"
down_revision = "usage_0011"
branch_labels = None
depends_on = None

SINCE = datetime(2026, 11, 26, 2, tzinfo=UTC)
NANO_USD_PER_MILLION = 10_000 * 10**9
"""Ten dollars a thousand, at either."""
SOURCES = {
    "anthropic": "platform.claude.com/docs/en/about-claude/pricing, web search, as of 2026-11-26",
    "openai": "developers.openai.com/api/docs/pricing, web search, as of 2026-11-26",
}
# Of the models that write; what the operator priced already stays as it is.
ADDED = """
    INSERT INTO prices (provider, model, unit, nano_usd_per_million, effective_at, source)
    SELECT DISTINCT provider, model, 'web_searches', CAST(:nano AS bigint), CAST(:since AS timestamptz), :source
    FROM prices AS known WHERE tenant_id IS NULL AND provider = :provider AND unit = 'output_tokens'
    ON CONFLICT (provider, model, unit, effective_at) WHERE tenant_id IS NULL DO NOTHING
"""


def upgrade() -> None:
    for provider, source in SOURCES.items():
        row = {"provider": provider, "nano": NANO_USD_PER_MILLION, "since": SINCE, "source": source}
        op.get_bind().execute(sa.text(ADDED), row)


def downgrade() -> None:
    for source in SOURCES.values():
        op.get_bind().execute(sa.text("DELETE FROM prices WHERE source = :source"), {"source": source})
