"""Plans, tenants' limits, prices, the ledger and its rollups."""

from datetime import UTC, datetime

from alembic import op

from chassis.database import isolation
from usage_service.repository import metadata, plans, prices

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
    metadata.create_all(connection)
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


def downgrade() -> None:
    op.execute("DROP FUNCTION ensure_event_partition(date)")
    metadata.drop_all(op.get_bind())
