"""Anthropic's bare names: `claude-*` is whatever Anthropic offers; what the best-known write at most is known here."""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "llm_0005"
down_revision = "llm_0004"
branch_labels = None
depends_on = None

PROVIDER = "anthropic"
CAPABILITIES = ["chat", "stream", "tools", "vision", "json_schema", "reasoning"]
KNOWN = [
    ("claude-opus-4-5", 200_000, 64_000),
    ("claude-sonnet-4-5", 200_000, 64_000),
    ("claude-haiku-4-5", 200_000, 64_000),
    ("claude-opus-4-1", 200_000, 32_000),
    ("claude-*", 0, 0),
]
"""Name, context, most output; 0: as Anthropic has it."""


def upgrade() -> None:
    connection = op.get_bind()
    for name, context, output in KNOWN:
        connection.execute(
            sa.text(
                "INSERT INTO models (name, capabilities, context_length, max_output_tokens) "
                "VALUES (:name, :capabilities, :context, :output) ON CONFLICT DO NOTHING"
            ).bindparams(sa.bindparam("capabilities", type_=postgresql.ARRAY(sa.Text()))),
            {"name": name, "capabilities": CAPABILITIES, "context": context, "output": output},
        )
        place = f"{name}\0{PROVIDER}\0{name}\0\0\0"
        connection.execute(
            sa.text(
                "INSERT INTO deployments (id, model, position, priority, provider, upstream_model) "
                "VALUES (:id, :name, 0, 0, :provider, :name) ON CONFLICT DO NOTHING"
            ),
            {"id": hashlib.sha256(place.encode()).hexdigest()[:24], "name": name, "provider": PROVIDER},
        )


def downgrade() -> None:
    # Deployments go with their models.
    op.execute(sa.text("DELETE FROM models WHERE name = ANY(:names)").bindparams(names=[name for name, *_ in KNOWN]))
