"""Receipts of answers, and conversations that are kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "rag_0006"
down_revision = "rag_0005"
branch_labels = None
depends_on = None

WHEN = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    texts = (
        "conversation_id",
        "request_id",
        "collection",
        "query",
        "mode",
        "state",
        "content",
        "model",
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*texts, "prompt_sha256")),
        *(sa.Column(name, postgresql.JSONB(), nullable=False) for name in ("citations", "passages", "used")),
        sa.Column("forgotten", sa.Boolean(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
    )
    op.create_index("ix_answers_tenant_id_expires_at", "answers", ["tenant_id", "expires_at"])
    op.create_index(
        "ix_answers_passages",
        "answers",
        ["passages"],
        postgresql_using="gin",
        postgresql_ops={"passages": "jsonb_path_ops"},
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("said", sa.Integer(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(
        "ix_conversations_tenant_id_user_id_created_at", "conversations", ["tenant_id", "user_id", "created_at"]
    )
    op.create_table(
        "messages",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("conversation_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_messages_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "position", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_tenant_id_answer_id", "messages", ["tenant_id", "answer_id"])
    for table in ("answers", "conversations", "messages"):
        for statement in isolation(table):
            op.execute(statement)


def downgrade() -> None:
    for table in ("messages", "conversations", "answers"):
        op.drop_table(table)
