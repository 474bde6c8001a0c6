"""An index of what documents' metadata say, so that a narrow filter finds its documents.

See docs/decisions/0016-facets.md. A trigger keeps it, whoever writes a document.
"""

import sqlalchemy as sa
from alembic import op

from chassis.database import isolation

revision = "rag_0013"
down_revision = "rag_0012"
branch_labels = None
depends_on = None

FACETS_OF = """
    CREATE FUNCTION facets_of(metadata jsonb) RETURNS TABLE (field text, text text, number float8)
    LANGUAGE sql IMMUTABLE AS $$
    -- The first 64 characters of a text; a number as a double, and never an error. What is found is asked again.
    SELECT key, CASE WHEN jsonb_typeof(value) <> 'number' THEN left(value #>> '{}', 64) END,
        CASE WHEN jsonb_typeof(value) = 'number'
            THEN greatest(-1e300, least(1e300, (value #>> '{}')::numeric))::float8 END
    FROM jsonb_each(metadata)
    -- Filters may have no longer names.
    WHERE jsonb_typeof(value) IN ('string', 'number', 'boolean') AND length(key) <= 128
    $$
"""
FILL = """
    INSERT INTO facets (document_id, tenant_id, collection_id, field, text, number)
    SELECT id, tenant_id, collection_id, told.* FROM documents, facets_of(metadata) AS told
"""
KEEP = """
    CREATE FUNCTION keep_facets() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM facets WHERE document_id = NEW.id;
        INSERT INTO facets (document_id, tenant_id, collection_id, field, text, number)
        SELECT NEW.id, NEW.tenant_id, NEW.collection_id, told.* FROM facets_of(NEW.metadata) AS told;
        RETURN NULL;
    END $$
"""
NEW = "CREATE TRIGGER new_facets AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION keep_facets()"
OTHER = """
    CREATE TRIGGER other_facets AFTER UPDATE ON documents FOR EACH ROW
    WHEN (OLD.metadata IS DISTINCT FROM NEW.metadata) EXECUTE FUNCTION keep_facets()
"""


def upgrade() -> None:
    op.create_table(
        "facets",
        sa.Column("document_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("collection_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("text", sa.Text(collation="C"), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_facets_document_id_documents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", "field", name=op.f("pk_facets")),
    )
    op.execute(FACETS_OF)
    op.execute(FILL)
    for kind in ("text", "number"):
        op.create_index(
            f"ix_facets_{kind}",
            "facets",
            ["tenant_id", "collection_id", "field", kind, "document_id"],
            postgresql_where=sa.text(f"{kind} IS NOT NULL"),
        )
    for statement in isolation("facets"):
        op.execute(statement)
    for statement in (KEEP, NEW, OTHER):
        op.execute(statement)


def downgrade() -> None:
    for name in ("new_facets", "other_facets"):
        op.execute(f"DROP TRIGGER {name} ON documents")
    op.execute("DROP FUNCTION keep_facets()")
    op.execute("DROP FUNCTION facets_of(jsonb)")
    op.drop_table("facets")
