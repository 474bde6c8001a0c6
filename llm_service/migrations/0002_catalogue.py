"""Deployments with weights, conditions, limits and keys; tenants' keys, aliases and rules; all hear of changes."""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "llm_0002"
down_revision = "llm_0001"
branch_labels = None
depends_on = None

TEXTS = postgresql.ARRAY(sa.Text())
STAMP = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")
EMPTY = sa.text("'{}'")

TOLD = """
    CREATE FUNCTION tell_of_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('aisp_llm', '*'); RETURN NULL; END $$
"""
TOLD_OF_TENANT = """
    CREATE FUNCTION tell_of_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('aisp_llm', coalesce(coalesce(NEW.tenant_id, OLD.tenant_id)::text, '*'));
        RETURN NULL;
    END $$
"""
OF_ALL = ("models", "deployments")
OF_TENANTS = ("provider_keys", "model_rules", "model_aliases")


def upgrade() -> None:
    extend_models()
    replace_deployments()
    make_tables_of_tenants()
    add_known_names()
    for statement in (TOLD, TOLD_OF_TENANT):
        op.execute(statement)
    for table in OF_ALL:
        op.execute(
            f"CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tell_of_catalogue()"
        )
    for table in OF_TENANTS:
        op.execute(
            f"CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION tell_of_tenant()"
        )


def extend_models() -> None:
    for column in (
        sa.Column("max_output_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("price_key", sa.Text(), server_default="", nullable=False),
        sa.Column("sticky", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("shutdown_at", STAMP),
        sa.Column("tenants", TEXTS, server_default=EMPTY, nullable=False),
    ):
        op.add_column("models", column)


def replace_deployments() -> None:
    """They get an id of their own, since several may share a priority."""
    connection = op.get_bind()
    kept = connection.execute(sa.text("SELECT model, priority, provider, upstream_model FROM deployments")).all()
    op.drop_table("deployments")
    table = op.create_table(
        "deployments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), server_default="1", nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("api_version", sa.Text(), server_default="", nullable=False),
        sa.Column("credential_id", postgresql.UUID(as_uuid=False)),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("capabilities", TEXTS, server_default=EMPTY, nullable=False),
        sa.Column("context_length", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cost_nano_usd_per_million", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tokens_per_minute", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("concurrent_requests", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["models.name"], name=op.f("fk_deployments_model_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    op.create_index("ix_deployments_model", "deployments", ["model"])
    for model, priority, provider, upstream in kept:
        place = f"{model}\0{provider}\0{upstream}\0\0\0"
        row = {"id": hashlib.sha256(place.encode()).hexdigest()[:24], "model": model, "position": priority}
        connection.execute(table.insert().values(**row, priority=priority, provider=provider, upstream_model=upstream))


WHOLE = ["chat", "stream", "tools", "vision", "json_schema", "logprobs"]
THINKS = ["chat", "stream", "tools", "vision", "json_schema", "reasoning"]
KNOWN = [
    ("gpt-5", "openai", THINKS, 400_000, 128_000),
    ("gpt-5-mini", "openai", THINKS, 400_000, 128_000),
    ("gpt-5-nano", "openai", THINKS, 400_000, 128_000),
    ("o3", "openai", THINKS, 200_000, 100_000),
    ("o4-mini", "openai", THINKS, 200_000, 100_000),
    ("gpt-*", "openai", WHOLE, 0, 0),
    ("chatgpt-*", "openai", WHOLE, 0, 0),
    ("o1*", "openai", THINKS, 0, 0),
    ("o3*", "openai", THINKS, 0, 0),
    ("o4*", "openai", THINKS, 0, 0),
]
"""Name, provider, capabilities, context, most output. 0: as the provider has it."""


def add_known_names() -> None:
    """The best-known bare names; a `*` stands for whatever else its provider offers."""
    connection = op.get_bind()
    for name, provider, capabilities, context, output in KNOWN:
        connection.execute(
            sa.text(
                "INSERT INTO models (name, capabilities, context_length, max_output_tokens) "
                "VALUES (:name, :capabilities, :context, :output) ON CONFLICT DO NOTHING"
            ).bindparams(sa.bindparam("capabilities", type_=TEXTS)),
            {"name": name, "capabilities": capabilities, "context": context, "output": output},
        )
        place = f"{name}\0{provider}\0{name}\0\0\0"
        connection.execute(
            sa.text(
                "INSERT INTO deployments (id, model, position, priority, provider, upstream_model) "
                "VALUES (:id, :name, 0, 0, :provider, :name) ON CONFLICT DO NOTHING"
            ),
            {"id": hashlib.sha256(place.encode()).hexdigest()[:24], "name": name, "provider": provider},
        )


def make_tables_of_tenants() -> None:
    op.create_table(
        "provider_keys",
        sa.Column("id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", postgresql.UUID(as_uuid=False)),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("api_version", sa.Text(), server_default="", nullable=False),
        sa.Column("falls_back", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", STAMP, server_default=NOW, nullable=False),
        sa.Column("updated_at", STAMP, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_keys")),
    )
    op.create_index("uq_provider_keys_tenant", "provider_keys", ["tenant_id", "provider"], unique=True)
    op.create_foreign_key(
        op.f("fk_deployments_credential_id_provider_keys"), "deployments", "provider_keys", ["credential_id"], ["id"]
    )
    op.create_table(
        "model_rules",
        sa.Column("tenant_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("granted", TEXTS),
        sa.Column("allowed", TEXTS),
        sa.Column("regions", TEXTS, server_default=EMPTY, nullable=False),
        sa.Column("max_cost_nano_usd_per_million", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_model_rules")),
    )
    op.create_table(
        "model_aliases",
        sa.Column("tenant_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "alias", name=op.f("pk_model_aliases")),
    )
    for table in OF_TENANTS:
        for statement in isolation(table):
            op.execute(statement)


def downgrade() -> None:
    for table in OF_ALL:
        op.execute(f"DROP TRIGGER told ON {table}")
    op.drop_constraint("fk_deployments_credential_id_provider_keys", "deployments")
    for table in OF_TENANTS:
        op.drop_table(table)
    op.execute("DROP FUNCTION tell_of_tenant")
    op.execute("DROP FUNCTION tell_of_catalogue")
    # The names that this revision added stay: by now they may be an operator's.
    downgrade_deployments()
    for column in ("max_output_tokens", "price_key", "sticky", "shutdown_at", "tenants"):
        op.drop_column("models", column)


def downgrade_deployments() -> None:
    """Of several of one priority the first one stays."""
    connection = op.get_bind()
    kept = connection.execute(
        sa.text(
            "SELECT DISTINCT ON (model, priority) model, priority, provider, upstream_model FROM deployments "
            "ORDER BY model, priority, position"
        )
    ).all()
    op.drop_table("deployments")
    table = op.create_table(
        "deployments",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["models.name"], name=op.f("fk_deployments_model_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model", "priority", name=op.f("pk_deployments")),
    )
    for model, priority, provider, upstream in kept:
        values = {"model": model, "priority": priority, "provider": provider, "upstream_model": upstream}
        connection.execute(table.insert().values(**values))
