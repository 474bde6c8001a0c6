"""For how long answers made with an API key are kept and given again."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0008"
down_revision = "auth_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("answer_cache_seconds", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("api_keys", "answer_cache_seconds")
