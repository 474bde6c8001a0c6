"""The tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP, UUID

from chassis.database import new_metadata
from chassis.jobs import jobs_table
from usage_service.domain.ledger import Amounts

metadata = new_metadata()

AMOUNTS = tuple(Amounts.__slots__)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("support", sa.Text, nullable=False),
    sa.Column("sla_basis_points", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
)
tenant_states = sa.Table(
    "tenant_states",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("limits", JSONB, nullable=False, server_default="{}"),
)
prices = sa.Table(
    "prices",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("nano_usd_per_million", sa.BigInteger, nullable=False),
    sa.Column("effective_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("tenant_id", UUID(as_uuid=False)),
    sa.Column("tiers", JSONB, nullable=False, server_default="[]"),
    sa.Index("uq_prices_terms", "tenant_id", "provider", "model", "unit", "effective_at", unique=True),
    sa.Index(
        "uq_prices_terms_for_everybody",
        "provider",
        "model",
        "unit",
        "effective_at",
        unique=True,
        postgresql_where=sa.text("tenant_id IS NULL"),
    ),
)
markups = sa.Table(
    "markups",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("basis_points", sa.Integer, nullable=False),
    sa.Column("effective_at", TIMESTAMP(timezone=True), nullable=False),
    sa.UniqueConstraint("tenant_id", "effective_at"),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", UUID(as_uuid=False), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("counts_request", sa.Boolean, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
    sa.Column("lines", JSONB, nullable=False),
    sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("booking", sa.BigInteger, nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("id", "kind", "day"),
    sa.Index("ix_events_tenant_id_at", "tenant_id", "at"),
    sa.Index("ix_events_booking", "booking"),
    postgresql_partition_by="RANGE (day)",
)
days = sa.Table(
    "days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("booked", sa.BigInteger, nullable=False),
    sa.Column("proved", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("doubted", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("reviewed", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("reviewed_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
)
proofs = sa.Table(
    "proofs",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("hour", sa.SmallInteger, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
)
"""Sums of the events that are proved, by the hour of their leases."""
differences = sa.Table(
    "differences",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("unit", sa.Text, primary_key=True),
    sa.Column("ledger", sa.BigInteger, nullable=False),
    sa.Column("rollups", sa.BigInteger, nullable=False),
)
positions = sa.Table(
    "positions",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
)
conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("event", JSONB, nullable=False),
    sa.Column("found_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
)
rollups = sa.Table(
    "rollups",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
    sa.Index("ix_rollups_day", "day"),
)
budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("thresholds", ARRAY(sa.Integer), nullable=False),
    sa.Column("hard_stop", sa.Boolean, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_budgets_tenant_id_created_at", "tenant_id", "created_at"),
)
spendings = sa.Table(
    "spendings",
    metadata,
    sa.Column("budget_id", UUID(as_uuid=False), sa.ForeignKey("budgets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("period_start", sa.Date, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
)
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("event_types", ARRAY(sa.Text), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("secret", BYTEA, nullable=False),
    sa.Column("old_secret", BYTEA, nullable=False),
    sa.Column("old_until", TIMESTAMP(timezone=True)),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_webhooks_tenant_id_created_at", "tenant_id", "created_at"),
)
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("webhook_id", UUID(as_uuid=False), sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("response_status", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("ended_at", TIMESTAMP(timezone=True)),
    sa.Index("ix_deliveries_webhook_id_created_at", "webhook_id", "created_at"),
    sa.Index("ix_deliveries_created_at", "created_at"),
)
tellings = sa.Table(
    "tellings",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("once", sa.Text, primary_key=True),
    sa.Column("told_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_tellings_told_at", "told_at"),
)
"""Events that are told once, by what names them."""
jobs = jobs_table(metadata)
