"""Writing to Anthropic's cache of prompts costs a quarter more than reading them; until now it cost the same."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "usage_0007"
down_revision = "usage_0006"
branch_labels = None
depends_on = None

SINCE = datetime(2026, 11, 26, tzinfo=UTC)
SOURCE = "platform.claude.com/docs/en/about-claude/pricing, writes for 5 minutes, as of 2026-11-26"
CENTS = {
    "claude-opus-4-5": 625, "claude-opus-4-1": 1875, "claude-opus-4": 1875, "claude-sonnet-4-5": 375,
    "claude-sonnet-4": 375, "claude-haiku-4-5": 125, "claude-3-7-sonnet-latest": 375, "claude-3-5-haiku-latest": 100,
    "claude-3-haiku-20240307": 30,
}  # fmt: skip
"""For a million tokens."""


def upgrade() -> None:
    statement = sa.text("""
        INSERT INTO prices (provider, model, unit, nano_usd_per_million, effective_at, source)
        VALUES ('anthropic', :model, 'cache_write_tokens', :nano, :since, :source)
        ON CONFLICT (provider, model, unit, effective_at) WHERE tenant_id IS NULL DO NOTHING
    """)
    for model, cents in CENTS.items():
        row = {"model": model, "nano": cents * 10**7, "since": SINCE, "source": SOURCE}
        op.get_bind().execute(statement, row)


def downgrade() -> None:
    op.get_bind().execute(sa.text("DELETE FROM prices WHERE source = :source"), {"source": SOURCE})
