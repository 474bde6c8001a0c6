"""Files, of which documents are made; batches of them; and what vector stores know beside: titles, and their end.

See docs/decisions/0020-files-and-vector-stores.md.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "rag_0017"
down_revision = "rag_0016"
branch_labels = None
depends_on = None

WHEN = postgresql.TIMESTAMP(timezone=True)
UUID = sa.UUID(as_uuid=False)
THERE = sa.text("file_id IS NOT NULL AND erasure_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", UUID, nullable=False),
        sa.Column("tenant_id", UUID, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("file_name", "media_type", "purpose", "sha256")),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=True),
        sa.Column("erasure_id", UUID, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index("ix_files_tenant_id_created_at", "files", ["tenant_id", "created_at"])
    op.create_index("ix_files_erasure_id", "files", ["erasure_id"])
    op.create_table(
        "file_batches",
        sa.Column("id", UUID, nullable=False),
        sa.Column("tenant_id", UUID, nullable=False),
        sa.Column("collection_id", UUID, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_file_batches_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_batches")),
    )
    op.create_index("ix_file_batches_collection_id", "file_batches", ["collection_id"])
    op.create_table(
        "batch_documents",
        sa.Column("tenant_id", UUID, nullable=False),
        sa.Column("batch_id", UUID, nullable=False),
        sa.Column("document_id", UUID, nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["file_batches.id"], name=op.f("fk_batch_documents_batch_id_file_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_batch_documents_document_id_documents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "document_id", name=op.f("pk_batch_documents")),
    )
    op.create_index("ix_batch_documents_document_id", "batch_documents", ["document_id"])
    for table in ("files", "file_batches", "batch_documents"):
        for statement in isolation(table):
            op.execute(statement)
    op.add_column("documents", sa.Column("file_id", UUID, nullable=True))
    op.create_foreign_key(op.f("fk_documents_file_id_files"), "documents", "files", ["file_id"], ["id"])
    op.create_index("ix_documents_file_id", "documents", ["file_id"])
    op.create_index("uq_documents_file", "documents", ["collection_id", "file_id"], unique=True, postgresql_where=THERE)
    op.add_column("documents", sa.Column("fault", sa.Text(), nullable=False, server_default=""))
    for name in ("own_chunk_tokens", "own_chunk_overlap"):
        op.add_column("documents", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("collections", sa.Column("title", sa.Text(), nullable=False, server_default=""))
    op.add_column("collections", sa.Column("metadata", postgresql.JSONB(), nullable=False, server_default="{}"))
    op.add_column("collections", sa.Column("expire_days", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("collections", sa.Column("active_at", WHEN, nullable=True))
    op.add_column("collections", sa.Column("erasure_id", UUID, nullable=True))
    op.create_index("ix_collections_erasure_id", "collections", ["erasure_id"])


def downgrade() -> None:
    # Documents that were made of files stay searchable; without their originals they cannot be tried again.
    for name in ("erasure_id", "active_at", "expire_days", "metadata", "title"):
        op.drop_column("collections", name)
    for name in ("own_chunk_overlap", "own_chunk_tokens", "fault", "file_id"):
        op.drop_column("documents", name)
    for table in ("batch_documents", "file_batches", "files"):
        op.drop_table(table)
