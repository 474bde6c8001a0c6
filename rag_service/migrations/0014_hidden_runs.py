"""Runs of the lexical index that no search sees (yet, or any more): a large document is written ahead, and a mark swaps
it in. See docs/decisions/0017-written-ahead.md.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "rag_0014"
down_revision = "rag_0013"
branch_labels = None
depends_on = None

SCATTERED = import_module("rag_service.migrations.0012_scattered")
WHOLE = """
            IF cardinality(touched.numbers) = (
                SELECT sum(alive) FROM runs WHERE tenant_id = touched.tenant_id
                AND collection_id = touched.collection_id AND home = touched.home
            ) THEN
                -- Nothing is left that its lists could tell of.
                DELETE FROM postings WHERE tenant_id = touched.tenant_id AND collection_id = touched.collection_id
                AND run = touched.home;
            ELSIF touched.spans <= 4 THEN"""
STAGED_ANEW = """
    UPDATE documents SET stage = 'stored' WHERE status = 'running'
    AND id IN (SELECT hidden_of FROM runs WHERE hidden_of IS NOT NULL)
"""
NEVER_SEEN = """
    DELETE FROM chunks c USING runs r WHERE r.hidden_of IS NOT NULL
    AND r.tenant_id = c.tenant_id AND r.collection_id = c.collection_id AND r.run = c.number / 512
"""


def upgrade() -> None:
    op.add_column("runs", sa.Column("hidden_of", sa.UUID(as_uuid=False), nullable=True))
    op.create_foreign_key(
        op.f("fk_runs_hidden_of_documents"), "runs", "documents", ["hidden_of"], ["id"], ondelete="SET NULL"
    )
    hidden = sa.text("hidden_of IS NOT NULL")
    op.create_index("ix_runs_hidden", "runs", ["tenant_id", "collection_id", "run"], postgresql_where=hidden)
    op.create_index("ix_runs_hidden_of", "runs", ["hidden_of"], postgresql_where=hidden)
    # Whether a chunk is staged again is asked one by one: nothing then hangs on what a planner knows of new rows.
    op.create_index("ix_staged_chunks_document_id_id", "staged_chunks", ["document_id", "id"])
    SCATTERED.replace(SCATTERED.FORGET.replace("\n            IF touched.spans <= 4 THEN", WHOLE))


def downgrade() -> None:
    op.execute(STAGED_ANEW)
    op.execute(NEVER_SEEN)
    SCATTERED.replace(SCATTERED.FORGET)
    op.drop_index("ix_staged_chunks_document_id_id", table_name="staged_chunks")
    op.drop_column("runs", "hidden_of")
