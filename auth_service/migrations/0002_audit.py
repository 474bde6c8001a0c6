"""The audit log: rows that the runtime role can add but not change, and the signed head of each tenant's chain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None

RUNTIME = "aisp_auth"


def upgrade() -> None:
    # No reference to tenants: the log of a tenant outlives it.
    op.create_table(
        "audit_events",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "sequence", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_tenant_id_at", "audit_events", ["tenant_id", "at"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_heads")),
    )
    for table in ("audit_events", "audit_heads"):
        for statement in isolation(table):
            op.execute(statement)
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM {RUNTIME}")
    op.execute(f"REVOKE DELETE, TRUNCATE ON audit_heads FROM {RUNTIME}")


def downgrade() -> None:
    op.drop_table("audit_heads")
    op.drop_index("ix_audit_events_tenant_id_at", table_name="audit_events")
    op.drop_table("audit_events")
