"""The tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP, UUID

from chassis.database import new_metadata

metadata = new_metadata()

CHANNEL, CATALOGUE = "aisp_llm", "*"
"""On which the database tells of changes: of the catalogue, else of a tenant's id (triggers of llm_0002)."""

EMPTY = sa.text("'{}'")

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("capabilities", ARRAY(sa.Text), nullable=False),
    sa.Column("context_length", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("max_output_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("price_key", sa.Text, nullable=False, server_default=""),
    sa.Column("sticky", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("shutdown_at", TIMESTAMP(timezone=True)),
    sa.Column("deprecated_at", TIMESTAMP(timezone=True)),
    sa.Column("tenants", ARRAY(sa.Text), nullable=False, server_default=EMPTY),
)
deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, sa.ForeignKey("models.name", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("weight", sa.Integer, nullable=False, server_default="1"),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("upstream_model", sa.Text, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False, server_default=""),
    sa.Column("api_version", sa.Text, nullable=False, server_default=""),
    sa.Column("credential_id", UUID(as_uuid=False), sa.ForeignKey("provider_keys.id")),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
    sa.Column("capabilities", ARRAY(sa.Text), nullable=False, server_default=EMPTY),
    sa.Column("context_length", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cost_nano_usd_per_million", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("requests_per_minute", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("tokens_per_minute", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("concurrent_requests", sa.Integer, nullable=False, server_default="0"),
    sa.Column("without_stream_options", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_deployments_model", "model"),
)
provider_keys = sa.Table(
    "provider_keys",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False)),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False, server_default=""),
    sa.Column("api_version", sa.Text, nullable=False, server_default=""),
    sa.Column("falls_back", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("uq_provider_keys_tenant", "tenant_id", "provider", unique=True),
)
model_rules = sa.Table(
    "model_rules",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("granted", ARRAY(sa.Text)),
    sa.Column("allowed", ARRAY(sa.Text)),
    sa.Column("regions", ARRAY(sa.Text), nullable=False, server_default=EMPTY),
    sa.Column("max_cost_nano_usd_per_million", sa.BigInteger, nullable=False, server_default="0"),
)
model_aliases = sa.Table(
    "model_aliases",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("alias", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
)
guardrails = sa.Table(
    "guardrails",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("phases", ARRAY(sa.Text), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("rules", JSONB, nullable=False),
    sa.Column("models", ARRAY(sa.Text), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("credential", BYTEA, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_guardrails_tenant_id_position", "tenant_id", "position"),
)
responses = sa.Table(
    "responses",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("previous_id", sa.Text, nullable=False),
    sa.Column("input", sa.LargeBinary, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("turns", sa.Integer, nullable=False),
    sa.Column("chain_bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_responses_expires_at", "expires_at"),
)
