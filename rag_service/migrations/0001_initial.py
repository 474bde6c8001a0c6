"""Collections, documents, chunks, postings, vectors, jobs."""

from alembic import op

from chassis.database import isolation
from rag_service.repository.tables import metadata

revision = "rag_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    for table in ("collections", "documents", "chunks", "postings", "vectors", "jobs"):
        for statement in isolation(table):
            op.execute(statement)


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
