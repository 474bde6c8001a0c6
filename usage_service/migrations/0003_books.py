"""Terms of tenants, versions of plans, budgets, webhooks and their deliveries, jobs; the starter table of prices."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "usage_0003"
down_revision = "usage_0002"
branch_labels = None
depends_on = None

TABLE = Path(__file__).with_name("prices_2026_11.json")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
TENANTS = ("prices", "markups", "budgets", "spendings", "webhooks", "deliveries", "tellings", "jobs")
"""Of prices only the platform sees those for everybody."""
STAMP = postgresql.TIMESTAMP(timezone=True)
ID = sa.UUID(as_uuid=False)


def upgrade() -> None:
    op.add_column("plans", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("prices", sa.Column("tenant_id", ID, nullable=True))
    op.drop_constraint("uq_prices_provider_model_unit_effective_at", "prices", type_="unique")
    terms = ["provider", "model", "unit", "effective_at"]
    op.create_index("uq_prices_terms", "prices", ["tenant_id", *terms], unique=True)
    op.create_index(
        "uq_prices_terms_for_everybody", "prices", terms, unique=True, postgresql_where=sa.text("tenant_id IS NULL")
    )
    make_terms()
    make_webhooks()
    for table in TENANTS:
        for statement in isolation(table):
            op.execute(statement)
    add_starter_prices()


def make_terms() -> None:
    """Markups, budgets."""
    op.create_table(
        "markups",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.Column("effective_at", STAMP, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_markups")),
        sa.UniqueConstraint("tenant_id", "effective_at", name=op.f("uq_markups_tenant_id_effective_at")),
    )
    op.create_table(
        "budgets",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "scope", "subject_id", "measure", "period")),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("thresholds", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("hard_stop", sa.Boolean(), nullable=False),
        sa.Column("created_at", STAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
    )
    op.create_index("ix_budgets_tenant_id_created_at", "budgets", ["tenant_id", "created_at"])
    op.create_table(
        "spendings",
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budgets.id"], name=op.f("fk_spendings_budget_id_budgets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("budget_id", "period_start", name=op.f("pk_spendings")),
    )


def make_webhooks() -> None:
    """Webhooks, deliveries, what was told once, jobs."""
    op.create_table(
        "webhooks",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("secret", postgresql.BYTEA(), nullable=False),
        sa.Column("old_secret", postgresql.BYTEA(), nullable=False),
        sa.Column("old_until", STAMP, nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", STAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_tenant_id_created_at", "webhooks", ["tenant_id", "created_at"])
    op.create_table(
        "deliveries",
        *(sa.Column(name, ID, nullable=False) for name in ("id", "tenant_id", "webhook_id")),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", STAMP, nullable=False),
        sa.Column("ended_at", STAMP, nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_webhook_id_created_at", "deliveries", ["webhook_id", "created_at"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    op.create_table(
        "tellings",
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("once", sa.Text(), nullable=False),
        sa.Column("told_at", STAMP, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "once", name=op.f("pk_tellings")),
    )
    op.create_index("ix_tellings_told_at", "tellings", ["told_at"])
    op.create_table(
        "jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("context", postgresql.BYTEA(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_at", STAMP, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_run_at", "jobs", ["run_at"])


def add_starter_prices() -> None:
    """Those of the data file that are not there yet."""
    document = json.loads(TABLE.read_text())
    statement = sa.text("""
        INSERT INTO prices (provider, model, unit, nano_usd_per_million, effective_at, source)
        VALUES (:provider, :model, :unit, :nano, :since, :source)
        ON CONFLICT (provider, model, unit, effective_at) WHERE tenant_id IS NULL DO NOTHING
    """)
    for provider, model, unit, dollars, source in document["prices"]:
        told = f"{source}, as of {document['as_of']}"
        nano = int(Decimal(dollars) * 10**9)
        row = {"provider": provider, "model": model, "unit": unit, "nano": nano, "since": SINCE, "source": told}
        op.get_bind().execute(statement, row)


def downgrade() -> None:
    op.execute("DELETE FROM prices WHERE tenant_id IS NOT NULL")
    op.execute("DROP POLICY tenant_isolation ON prices")
    op.execute("ALTER TABLE prices NO FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE prices DISABLE ROW LEVEL SECURITY")
    for table in ("jobs", "tellings", "deliveries", "webhooks", "spendings", "budgets", "markups"):
        op.drop_table(table)
    op.drop_index("uq_prices_terms_for_everybody", table_name="prices")
    op.drop_index("uq_prices_terms", table_name="prices")
    op.drop_column("prices", "tenant_id")
    op.create_unique_constraint(
        "uq_prices_provider_model_unit_effective_at", "prices", ["provider", "model", "unit", "effective_at"]
    )
    op.drop_column("plans", "version")
