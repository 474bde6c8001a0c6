"""Versions, staged chunks, originals that are metered, erasures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "rag_0005"
down_revision = "rag_0004"
branch_labels = None
depends_on = None

STAMP = postgresql.TIMESTAMP(timezone=True)
TABLES = ("originals", "staged_chunks", "stale_vectors", "erasures", "probes")


def uuid(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.UUID(as_uuid=False), nullable=nullable)


def number(name: str, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def upgrade() -> None:
    op.add_column("documents", number("run", "1"))
    op.add_column("documents", number("ready_version", "0"))
    op.add_column("documents", sa.Column("coming", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("documents", sa.Column("identity", sa.Text(), nullable=False, server_default=""))
    op.add_column("documents", uuid("erasure_id", nullable=True))
    op.execute("UPDATE documents SET ready_version = version WHERE status = 'ready'")
    op.create_index("ix_documents_identity", "documents", ["tenant_id", "collection_id", "identity"])
    op.create_index("ix_documents_erasure_id", "documents", ["erasure_id"])
    op.add_column("chunks", sa.Column("digest", sa.Text(), nullable=False, server_default=""))
    make_tables()
    op.execute("""
        INSERT INTO originals (tenant_id, document_id, version, bytes, lease, metered, release_lease, created_at)
        SELECT tenant_id, id, version, bytes, '', true, '', created_at FROM documents
    """)
    for table in TABLES:
        for statement in isolation(table):
            op.execute(statement)


def make_tables() -> None:
    op.create_table(
        "originals",
        uuid("tenant_id"),
        uuid("document_id"),
        number("version"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("metered", sa.Boolean(), nullable=False),
        sa.Column("release_lease", sa.Text(), nullable=False),
        sa.Column("created_at", STAMP, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "version", name=op.f("pk_originals")),
    )
    op.create_index("ix_originals_tenant_id", "originals", ["tenant_id"])
    op.create_table(
        "staged_chunks",
        uuid("tenant_id"),
        sa.Column(
            "document_id",
            sa.UUID(as_uuid=False),
            sa.ForeignKey("documents.id", name=op.f("fk_staged_chunks_document_id_documents"), ondelete="CASCADE"),
            nullable=False,
        ),
        number("ordinal"),
        uuid("id"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        number("page"),
        sa.Column("heading", sa.Text(), nullable=False),
        number("length"),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        uuid("like", nullable=True),
        sa.Column("embedded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "ordinal", name=op.f("pk_staged_chunks")),
    )
    op.create_table(
        "stale_vectors",
        uuid("tenant_id"),
        uuid("document_id"),
        uuid("chunk_id"),
        sa.PrimaryKeyConstraint("document_id", "chunk_id", name=op.f("pk_stale_vectors")),
    )
    op.create_table(
        "erasures",
        uuid("id"),
        uuid("tenant_id"),
        uuid("document_id", nullable=True),
        number("documents"),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", STAMP, nullable=False),
        sa.Column("ended_at", STAMP, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "probes",
        uuid("tenant_id"),
        uuid("erasure_id"),
        uuid("document_id"),
        uuid("chunk_id"),
        sa.Column("vector", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "chunk_id", name=op.f("pk_probes")),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_column("chunks", "digest")
    op.drop_index("ix_documents_erasure_id", table_name="documents")
    op.drop_index("ix_documents_identity", table_name="documents")
    for name in ("erasure_id", "identity", "coming", "ready_version", "run"):
        op.drop_column("documents", name)
