"""Postings are kept as they are: to unpack them cost a search more than the third of their size that it saved."""

from alembic import op

revision = "rag_0015"
down_revision = "rag_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is there is unpacked when it is next written.
    op.execute("ALTER TABLE postings ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE postings ALTER COLUMN data SET STORAGE EXTENDED")
