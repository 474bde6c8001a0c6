"""The tables of retrieval."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP, UUID

from chassis.database import new_metadata
from chassis.jobs import jobs_table

metadata = new_metadata()


class Vector(sa.types.UserDefinedType[str]):
    """pgvector's type, of any length or (to be indexed) of one; written and read as its text."""

    cache_ok = True

    def __init__(self, spelling: str = "vector") -> None:
        self.spelling = spelling

    def get_col_spec(self, **_: Any) -> str:
        return self.spelling

    def accepts(self, found: sa.types.TypeEngine[Any]) -> bool:
        """A server without pgvector has arrays in its place: that is no drift (decision 0004)."""
        return isinstance(found, sa.ARRAY) and isinstance(found.item_type, sa.REAL)


def _uuid(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, UUID(as_uuid=False), nullable=False, **options)


collections = sa.Table(
    "collections",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("vector_store", sa.Text, nullable=False),
    sa.Column("embedding_model", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("default_mode", sa.Text, nullable=False, server_default="hybrid"),
    sa.Column("chunk_tokens", sa.Integer, nullable=False, server_default="400"),
    sa.Column("chunk_overlap", sa.Integer, nullable=False, server_default="40"),
    sa.Column("swaps", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("title", sa.Text, nullable=False, server_default=""),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}"),
    sa.Column("expire_days", sa.Integer, nullable=False, server_default="0"),
    sa.Column("active_at", TIMESTAMP(timezone=True)),
    sa.Column("erasure_id", UUID(as_uuid=False), index=True),
    sa.UniqueConstraint("tenant_id", "name"),
)
files = sa.Table(
    "files",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("expires_at", TIMESTAMP(timezone=True)),
    sa.Column("erasure_id", UUID(as_uuid=False), index=True),
    sa.Index("ix_files_tenant_id_created_at", "tenant_id", "created_at"),
)
documents = sa.Table(
    "documents",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("collection_id", UUID(as_uuid=False), sa.ForeignKey("collections.id"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("run", sa.Integer, nullable=False, server_default="1"),
    sa.Column("ready_version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("coming", JSONB(none_as_null=True)),
    sa.Column("identity", sa.Text, nullable=False, server_default=""),
    sa.Column("erasure_id", UUID(as_uuid=False), index=True),
    sa.Column("claim", sa.Text, nullable=False, server_default=""),
    sa.Column("waits_since", TIMESTAMP(timezone=True)),
    sa.Column("file_id", UUID(as_uuid=False), sa.ForeignKey("files.id"), index=True),
    sa.Column("fault", sa.Text, nullable=False, server_default=""),
    sa.Column("own_chunk_tokens", sa.Integer),
    sa.Column("own_chunk_overlap", sa.Integer),
    sa.Index("ix_documents_tenant_id_created_at", "tenant_id", "created_at"),
    sa.Index("ix_documents_identity", "tenant_id", "collection_id", "identity"),
    sa.Index(
        "uq_documents_file",
        "collection_id",
        "file_id",
        unique=True,
        postgresql_where=sa.text("file_id IS NOT NULL AND erasure_id IS NULL"),
    ),
)
file_batches = sa.Table(
    "file_batches",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column(
        "collection_id",
        UUID(as_uuid=False),
        sa.ForeignKey("collections.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("cancelled", sa.Boolean, nullable=False),
)
batch_documents = sa.Table(
    "batch_documents",
    metadata,
    _uuid("tenant_id"),
    sa.Column("batch_id", UUID(as_uuid=False), sa.ForeignKey("file_batches.id", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "document_id",
        UUID(as_uuid=False),
        sa.ForeignKey("documents.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)
facets = sa.Table(
    "facets",
    metadata,
    sa.Column("document_id", UUID(as_uuid=False), sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    _uuid("tenant_id"),
    _uuid("collection_id"),
    sa.Column("text", sa.Text(collation="C")),
    sa.Column("number", sa.Double),
    *(
        sa.Index(
            f"ix_facets_{kind}",
            "tenant_id",
            "collection_id",
            "field",
            kind,
            "document_id",
            postgresql_where=sa.text(f"{kind} IS NOT NULL"),
        )
        for kind in ("text", "number")
    ),
)
originals = sa.Table(
    "originals",
    metadata,
    _uuid("tenant_id", index=True),
    _uuid("document_id", primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("lease", sa.Text, nullable=False),
    sa.Column("metered", sa.Boolean, nullable=False),
    sa.Column("release_lease", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
)
chunks = sa.Table(
    "chunks",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    _uuid("collection_id"),
    sa.Column(
        "document_id",
        UUID(as_uuid=False),
        sa.ForeignKey("documents.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("page", sa.Integer, nullable=False),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_chunks_tenant_id_collection_id_number", "tenant_id", "collection_id", "number"),
    sa.Index("ix_chunks_document_id_digest", "document_id", "digest"),
    sa.Index("ix_chunks_document_id_number", "document_id", "number", postgresql_include=["tenant_id"]),
)
runs = sa.Table(
    "runs",
    metadata,
    _uuid("tenant_id", primary_key=True),
    _uuid("collection_id", primary_key=True),
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("home", sa.Integer, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("alive", sa.Integer, nullable=False),
    sa.Column("words", sa.BigInteger, nullable=False),
    sa.Column("folded", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("hidden_of", UUID(as_uuid=False), sa.ForeignKey("documents.id", ondelete="SET NULL")),
    sa.Index(
        "ix_runs_hidden",
        "tenant_id",
        "collection_id",
        "run",
        postgresql_where=sa.text("hidden_of IS NOT NULL"),
    ),
    sa.Index("ix_runs_hidden_of", "hidden_of", postgresql_where=sa.text("hidden_of IS NOT NULL")),
)
staged_chunks = sa.Table(
    "staged_chunks",
    metadata,
    _uuid("tenant_id"),
    sa.Column("document_id", UUID(as_uuid=False), sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    _uuid("id"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("page", sa.Integer, nullable=False),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("like", UUID(as_uuid=False)),
    sa.Column("embedded", sa.Boolean, nullable=False),
    sa.Index("ix_staged_chunks_document_id_id", "document_id", "id"),
)
stale_vectors = sa.Table(
    "stale_vectors",
    metadata,
    _uuid("tenant_id"),
    _uuid("document_id", primary_key=True),
    _uuid("chunk_id", primary_key=True),
)
postings = sa.Table(
    "postings",
    metadata,
    _uuid("tenant_id", primary_key=True),
    _uuid("collection_id", primary_key=True),
    sa.Column("term", sa.Text, primary_key=True),
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", BYTEA, nullable=False),
    sa.Index("ix_postings_tenant_id_collection_id_run", "tenant_id", "collection_id", "run"),
)
vectors = sa.Table(
    "vectors",
    metadata,
    _uuid("chunk_id", primary_key=True),
    _uuid("tenant_id"),
    _uuid("collection_id"),
    _uuid("document_id", index=True),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("embedding", Vector, nullable=False),
    sa.Column("lane", sa.Integer, primary_key=True, autoincrement=False, server_default="0"),
)
vector_lanes = sa.Table(
    "vector_lanes",
    metadata,
    _uuid("tenant_id", primary_key=True),
    _uuid("collection_id", primary_key=True),
    sa.Column("lane", sa.Integer, nullable=False, server_default="0"),
)
erasures = sa.Table(
    "erasures",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("document_id", UUID(as_uuid=False)),
    sa.Column("documents", sa.Integer, nullable=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("ended_at", TIMESTAMP(timezone=True)),
)
probes = sa.Table(
    "probes",
    metadata,
    _uuid("tenant_id"),
    _uuid("erasure_id"),
    _uuid("document_id", primary_key=True),
    _uuid("chunk_id", primary_key=True),
    sa.Column("vector", BYTEA, nullable=False),
)
answers = sa.Table(
    "answers",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("conversation_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt_sha256", sa.Text, nullable=False),
    sa.Column("citations", JSONB, nullable=False),
    sa.Column("passages", JSONB, nullable=False),
    sa.Column("used", JSONB, nullable=False),
    sa.Column("forgotten", sa.Boolean, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_answers_tenant_id_expires_at", "tenant_id", "expires_at"),
    sa.Index("ix_answers_passages", "passages", postgresql_using="gin", postgresql_ops={"passages": "jsonb_path_ops"}),
)
conversations = sa.Table(
    "conversations",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("tenant_id"),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("said", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Index("ix_conversations_tenant_id_user_id_created_at", "tenant_id", "user_id", "created_at"),
)
messages = sa.Table(
    "messages",
    metadata,
    _uuid("tenant_id"),
    sa.Column(
        "conversation_id",
        UUID(as_uuid=False),
        sa.ForeignKey("conversations.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("answer_id", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("documents", JSONB, nullable=False, server_default="[]"),
    sa.Index("ix_messages_tenant_id_answer_id", "tenant_id", "answer_id"),
    sa.Index(
        "ix_messages_documents", "documents", postgresql_using="gin", postgresql_ops={"documents": "jsonb_path_ops"}
    ),
)
jobs = jobs_table(metadata)
