"""Collections, documents, chunks, postings, vectors, jobs."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

from chassis.database import isolation
from rag_service.repository.tables import metadata

revision = "rag_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not op.get_bind().scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'vector'")):
        raise CommandError(
            "the database aisp_rag lacks the extension vector: install pgvector on the PostgreSQL server, "
            "repeat `python -m deploy.local databases`, and migrate again"
        )
    metadata.create_all(op.get_bind())
    for table in ("collections", "documents", "chunks", "postings", "vectors", "jobs"):
        for statement in isolation(table):
            op.execute(statement)


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
