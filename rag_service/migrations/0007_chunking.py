"""Collections name how their documents are cut."""

import sqlalchemy as sa
from alembic import op

revision = "rag_0007"
down_revision = "rag_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("chunk_tokens", "400"), ("chunk_overlap", "40")):
        op.add_column("collections", sa.Column(name, sa.Integer(), server_default=default, nullable=False))


def downgrade() -> None:
    for name in ("chunk_tokens", "chunk_overlap"):
        op.drop_column("collections", name)
