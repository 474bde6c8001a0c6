"""Which worker's work on a document counts: the one that took it last."""

import sqlalchemy as sa
from alembic import op

revision = "rag_0008"
down_revision = "rag_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("claim", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("documents", "claim")
