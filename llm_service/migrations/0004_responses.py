"""Stored responses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "llm_0004"
down_revision = "llm_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    stamp = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "responses",
        sa.Column("tenant_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("previous_id", sa.Text(), nullable=False),
        sa.Column("input", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("chain_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", stamp, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", stamp, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_responses")),
    )
    op.create_index("ix_responses_expires_at", "responses", ["expires_at"])
    for statement in isolation("responses"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("responses")
