"""How many versions were swapped in: a search during which one was looks again."""

import sqlalchemy as sa
from alembic import op

revision = "rag_0009"
down_revision = "rag_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("collections", sa.Column("swaps", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("collections", "swaps")
