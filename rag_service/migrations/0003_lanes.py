"""Vectors in lanes: a large collection gets a partition with an index of its own (docs/decisions/0010-lanes.md)."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis.database import isolation

revision = "rag_0003"
down_revision = "rag_0002"
branch_labels = None
depends_on = None

OWN_LANE = """
    CREATE FUNCTION own_lane(wanted_tenant uuid, wanted_collection uuid) RETURNS int LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp SET maintenance_work_mem = '256MB' AS $$
    -- Moves a collection's vectors into a partition of their own and indexes them; answers its lane. The role that runs
    -- the service may make no table: this function does, for the owner, and nothing else.
    DECLARE
        given int;
        name text;
        size int;
        shape text;
        meaning text;
    BEGIN
        SELECT lane INTO given FROM vector_lanes
        WHERE tenant_id = wanted_tenant AND collection_id = wanted_collection FOR UPDATE;
        IF given IS NULL OR given > 0 THEN RETURN given; END IF;
        SELECT vector_dims(embedding) INTO size FROM vectors
        WHERE lane = 0 AND tenant_id = wanted_tenant AND collection_id = wanted_collection LIMIT 1;
        IF size IS NULL OR size > 4000 THEN RETURN 0; END IF;
        given := nextval('vector_lane_numbers');
        name := format('vectors_%s', given);
        EXECUTE format('CREATE TABLE %I (LIKE vectors INCLUDING DEFAULTS, CHECK (lane = %s))', name, given);
        EXECUTE format('WITH moved AS (DELETE FROM vectors WHERE lane = 0 AND tenant_id = $1 AND collection_id = $2'
            ' RETURNING chunk_id, tenant_id, collection_id, document_id, metadata, embedding)'
            ' INSERT INTO %I (chunk_id, tenant_id, collection_id, document_id, metadata, embedding, lane)'
            ' SELECT moved.*, %s FROM moved', name, given) USING wanted_tenant, wanted_collection;
        EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (lane, chunk_id)', name);
        EXECUTE format('CREATE INDEX ON %I (document_id)', name);
        -- Beyond 2,000 numbers pgvector indexes half precision only.
        shape := CASE WHEN size > 2000 THEN 'halfvec' ELSE 'vector' END;
        EXECUTE format('CREATE INDEX ON %I USING hnsw ((embedding::%s(%s)) %s_cosine_ops)', name, shape, size, shape);
        meaning := 'current_setting(''aisp.tenant'', true) = ''*'''
            ' OR tenant_id::text = current_setting(''aisp.tenant'', true)';
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (%s) WITH CHECK (%s)', name, meaning, meaning);
        EXECUTE format('ANALYZE %I', name);
        EXECUTE format('ALTER TABLE vectors ATTACH PARTITION %I FOR VALUES IN (%s)', name, given);
        UPDATE vector_lanes SET lane = given
        WHERE tenant_id = wanted_tenant AND collection_id = wanted_collection;
        RETURN given;
    END $$
"""


def upgrade() -> None:
    op.rename_table("vectors", "vectors_0")
    op.add_column("vectors_0", sa.Column("lane", sa.Integer(), server_default="0", nullable=False))
    op.execute("ALTER TABLE vectors_0 DROP CONSTRAINT pk_vectors")
    op.drop_index("ix_vectors_document_id", table_name="vectors_0")
    op.execute("ALTER INDEX ix_vectors_tenant_id_collection_id RENAME TO ix_vectors_0_tenant_id_collection_id")
    op.execute("CREATE TABLE vectors (LIKE vectors_0 INCLUDING DEFAULTS) PARTITION BY LIST (lane)")
    op.execute("ALTER TABLE vectors ADD CONSTRAINT pk_vectors PRIMARY KEY (lane, chunk_id)")
    op.create_index("ix_vectors_document_id", "vectors", ["document_id"])
    op.execute("ALTER TABLE vectors ATTACH PARTITION vectors_0 FOR VALUES IN (0)")
    op.create_table(
        "vector_lanes",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("collection_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("lane", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection_id", name=op.f("pk_vector_lanes")),
    )
    op.execute("INSERT INTO vector_lanes SELECT DISTINCT tenant_id, collection_id, 0 FROM vectors_0")
    op.execute("CREATE SEQUENCE vector_lane_numbers")
    for table in ("vectors", "vector_lanes"):
        for statement in isolation(table):
            op.execute(statement)
    op.execute(OWN_LANE)


def downgrade() -> None:
    op.execute("DROP FUNCTION own_lane(uuid, uuid)")
    op.execute("CREATE TABLE whole AS SELECT * FROM vectors")
    op.execute("DROP TABLE vectors")
    op.execute("ALTER TABLE whole RENAME TO vectors")
    op.drop_column("vectors", "lane")
    columns: list[Any] = ["chunk_id", "tenant_id", "collection_id", "document_id", "metadata", "embedding"]
    for column in columns:
        op.alter_column("vectors", column, nullable=False)
    op.create_primary_key("pk_vectors", "vectors", ["chunk_id"])
    op.create_index("ix_vectors_document_id", "vectors", ["document_id"])
    op.create_index("ix_vectors_tenant_id_collection_id", "vectors", ["tenant_id", "collection_id"])
    op.drop_table("vector_lanes")
    op.execute("DROP SEQUENCE vector_lane_numbers")
    for statement in isolation("vectors"):
        op.execute(statement)
