"""How far the ledger is in each partition's stream."""

import sqlalchemy as sa
from alembic import op

revision = "usage_0002"
down_revision = "usage_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_positions")),
    )
    op.execute("INSERT INTO positions SELECT number, '0-0' FROM generate_series(0, 255) AS number")


def downgrade() -> None:
    op.drop_table("positions")
