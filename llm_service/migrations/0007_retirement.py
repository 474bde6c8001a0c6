"""Since when a model is deprecated; which deployments refuse stream_options."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "llm_0007"
down_revision = "llm_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("deprecated_at", postgresql.TIMESTAMP(timezone=True)))
    # What has a date for its end is deprecated: for all that is known, from now on.
    op.execute("UPDATE models SET deprecated_at = LEAST(now(), shutdown_at) WHERE shutdown_at IS NOT NULL")
    refuses = sa.Column("without_stream_options", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("deployments", refuses)


def downgrade() -> None:
    op.drop_column("deployments", "without_stream_options")
    op.drop_column("models", "deprecated_at")
