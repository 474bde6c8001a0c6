"""Collections name how they are searched where a search does not say."""

import sqlalchemy as sa
from alembic import op

revision = "rag_0004"
down_revision = "rag_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("collections", sa.Column("default_mode", sa.Text(), server_default="hybrid", nullable=False))


def downgrade() -> None:
    op.drop_column("collections", "default_mode")
