"""The numbers of a document's chunks by an index alone: a filter that lets many documents through read all chunks."""

from alembic import op

revision = "rag_0018"
down_revision = "rag_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What row-level security looks at must be in it, too, or the chunks are read.
    op.create_index(
        "ix_chunks_document_id_number", "chunks", ["document_id", "number"], postgresql_include=["tenant_id"]
    )


def downgrade() -> None:
    op.drop_index("ix_chunks_document_id_number", table_name="chunks")
