"""Messages know the documents that their words are of, so that these can be erased when no receipt is left."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "rag_0011"
down_revision = "rag_0010"
branch_labels = None
depends_on = None

FROM_RECEIPTS = """
    UPDATE messages m SET documents = read.documents FROM (
        SELECT a.id::text AS answer_id, jsonb_agg(DISTINCT item -> 'document_id') AS documents
        FROM answers a, jsonb_array_elements(a.passages) AS item GROUP BY a.id
    ) AS read WHERE m.answer_id = read.answer_id
"""


def upgrade() -> None:
    op.add_column("messages", sa.Column("documents", postgresql.JSONB(), nullable=False, server_default="[]"))
    op.execute(FROM_RECEIPTS)
    op.create_index(
        "ix_messages_documents",
        "messages",
        ["documents"],
        postgresql_using="gin",
        postgresql_ops={"documents": "jsonb_path_ops"},
    )


def downgrade() -> None:
    op.drop_index("ix_messages_documents", table_name="messages")
    op.drop_column("messages", "documents")
