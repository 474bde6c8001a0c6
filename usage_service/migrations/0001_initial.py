"""Plans, tenants' limits, prices, the ledger and its rollups."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation
from usage_service.repository.tables import plans, prices

revision = "usage_0001"
down_revision = None
branch_labels = None
depends_on = None

GIB = 1024**3
MANAGEMENT = {"management_requests_per_minute": 600}
PLANS = [
    ("free", {"requests_per_minute": 100, "tokens_per_minute": 10_000, "requests_per_day": 100,
              "tokens_per_day": 100_000, "storage_bytes": GIB}, "community", 0),
    ("pro", {"requests_per_minute": 1000, "tokens_per_minute": 100_000, "requests_per_day": 1000,
             "tokens_per_day": 1_000_000, "storage_bytes": 100 * GIB}, "email", 9900),
    ("enterprise", {}, "dedicated", 9990),
]  # fmt: skip

OWN = "list price of this platform's local engines"
# Providers' public list prices, in US dollars for a million units, as known in November 2026: check before you sell.
PUBLIC = "the provider's public price list"
DOLLARS = [
    ("local", "local/smollm2-135m-instruct", "input_tokens", "0.01", OWN),
    ("local", "local/smollm2-135m-instruct", "cached_input_tokens", "0.005", OWN),
    ("local", "local/smollm2-135m-instruct", "output_tokens", "0.02", OWN),
    ("local", "local/all-minilm-l6-v2", "input_tokens", "0.005", OWN),
    ("local", "local/piper", "characters", "1", OWN),
    ("local", "local/whisper-tiny.en", "audio_milliseconds", "0.02", OWN),
    ("openai", "gpt-4o-mini", "input_tokens", "0.15", PUBLIC),
    ("openai", "gpt-4o-mini", "cached_input_tokens", "0.075", PUBLIC),
    ("openai", "gpt-4o-mini", "output_tokens", "0.60", PUBLIC),
    ("openai", "gpt-4o", "input_tokens", "2.50", PUBLIC),
    ("openai", "gpt-4o", "cached_input_tokens", "1.25", PUBLIC),
    ("openai", "gpt-4o", "output_tokens", "10", PUBLIC),
    ("openai", "text-embedding-3-small", "input_tokens", "0.02", PUBLIC),
    ("openai", "text-embedding-3-large", "input_tokens", "0.13", PUBLIC),
]


def upgrade() -> None:
    connection = op.get_bind()
    make_tables()
    op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
    # The runtime role owns nothing and makes no tables: this function makes one kind of table for it.
    op.execute("""
        CREATE FUNCTION ensure_event_partition(day date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        DECLARE name text := 'events_' || to_char(day, 'YYYYMMDD');
        BEGIN
            IF to_regclass(name) IS NULL THEN
                PERFORM pg_advisory_xact_lock(hashtext('ensure_event_partition'));
                IF to_regclass(name) IS NULL THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
                                   name, day, day + 1);
                END IF;
            END IF;
        END $$
    """)
    for table in ("tenant_states", "events", "conflicts", "rollups"):
        for statement in isolation(table):
            op.execute(statement)
    rows = [
        {"name": name, "position": position, "limits": limits | MANAGEMENT, "support": support, "sla_basis_points": sla}
        for position, (name, limits, support, sla) in enumerate(PLANS)
    ]
    connection.execute(plans.insert(), rows)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    connection.execute(
        prices.insert(),
        [
            {
                "provider": provider,
                "model": model,
                "unit": unit,
                "nano_usd_per_million": round(float(dollars) * 1_000_000_000),
                "effective_at": since,
                "source": source,
            }
            for provider, model, unit, dollars, source in DOLLARS
        ],
    )


def make_tables() -> None:
    """The tables, spelt out: what the repository declares later must not change this revision."""
    op.create_table(
        "conflicts",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("event", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("found_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_conflicts")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("counts_request", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("audio_milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "kind", "day", name=op.f("pk_events")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_events_tenant_id_at", "events", ["tenant_id", "at"], unique=False)
    op.create_table(
        "plans",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("support", sa.Text(), nullable=False),
        sa.Column("sla_basis_points", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plans")),
    )
    op.create_table(
        "prices",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("nano_usd_per_million", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_prices")),
        sa.UniqueConstraint(
            "provider", "model", "unit", "effective_at", name=op.f("uq_prices_provider_model_unit_effective_at")
        ),
    )
    op.create_table(
        "rollups",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("audio_milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "service", "model", name=op.f("pk_rollups")),
    )
    op.create_table(
        "tenant_states",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_states")),
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION ensure_event_partition(date)")
    op.drop_table("tenant_states")
    op.drop_table("rollups")
    op.drop_table("prices")
    op.drop_table("plans")
    op.drop_index("ix_events_tenant_id_at", table_name="events")
    op.drop_table("events")
    op.drop_table("conflicts")
