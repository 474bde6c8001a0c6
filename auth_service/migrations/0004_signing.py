"""Signing keys of access tokens; which models an API key may use, and from where."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "auth_0004"
down_revision = "auth_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("public", postgresql.BYTEA(), nullable=False),
        sa.Column("sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("active_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("retires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    for name in ("models", "networks"):
        op.add_column("api_keys", sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))


def downgrade() -> None:
    op.drop_column("api_keys", "networks")
    op.drop_column("api_keys", "models")
    op.drop_table("signing_keys")
