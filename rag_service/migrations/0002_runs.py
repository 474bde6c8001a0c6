"""The lexical index in runs: a term's postings as one string of bytes for each run of chunks, not a row each.

See docs/decisions/0007-lexical-runs.md. Chunks get a number in their collection; those that are there get theirs here.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.database import isolation

revision = "rag_0002"
down_revision = "rag_0001"
branch_labels = None
depends_on = None

RUN = 512

NUMBERS = """
    UPDATE chunks SET number = counted.number FROM (
        SELECT id, row_number() OVER (PARTITION BY tenant_id, collection_id ORDER BY id) - 1 AS number FROM chunks
    ) AS counted WHERE counted.id = chunks.id
"""
RUNS = f"""
    INSERT INTO runs (tenant_id, collection_id, run, home, used, alive, words)
    SELECT tenant_id, collection_id, number / {RUN}, number / {RUN}, count(*), count(*), sum(length)
    FROM chunks GROUP BY 1, 2, 3
"""  # noqa: S608  # a number
POSTINGS = f"""
    INSERT INTO postings (tenant_id, collection_id, term, run, data)
    SELECT p.tenant_id, p.collection_id, p.term, c.number / {RUN}, string_agg(
        int4send(c.number) || substring(int4send(least(p.frequency, 65535)) FROM 3)
        || substring(int4send(least(c.length, 65535)) FROM 3), ''::bytea ORDER BY c.number)
    FROM posting_rows p JOIN chunks c ON c.id = p.chunk_id GROUP BY 1, 2, 3, 4
"""  # noqa: S608  # a number

PLACE = """
    CREATE FUNCTION posting_place(data bytea, wanted int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
    -- How many postings (eight bytes each, sorted by number) are below the wanted number.
    DECLARE
        low int := 0;
        high int := length(data) / 8;
        middle int;
        sought bytea := int4send(wanted);
    BEGIN
        WHILE low < high LOOP
            middle := (low + high) / 2;
            IF substring(data FROM middle * 8 + 1 FOR 4) < sought THEN low := middle + 1; ELSE high := middle; END IF;
        END LOOP;
        RETURN low;
    END $$
"""
FORGET = f"""
    CREATE FUNCTION forget_postings() RETURNS trigger LANGUAGE plpgsql AS $$
    -- Takes deleted chunks out of the lexical index, whoever deletes them: each span of neighbouring numbers at once.
    DECLARE
        span record;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(collection_id::text, 0)) FROM (
            SELECT DISTINCT collection_id FROM gone ORDER BY 1
        ) AS touched;
        FOR span IN
            SELECT tenant_id, collection_id, home, min(number) AS low, max(number) + 1 AS high FROM (
                SELECT g.tenant_id, g.collection_id, r.home, g.number,
                       g.number - row_number() OVER (PARTITION BY g.collection_id, r.home ORDER BY g.number) AS island
                FROM gone g JOIN runs r ON r.tenant_id = g.tenant_id AND r.collection_id = g.collection_id
                AND r.run = g.number / {RUN}
            ) AS numbered GROUP BY tenant_id, collection_id, home, island
        LOOP
            UPDATE postings p SET data = substring(p.data FROM 1 FOR place.low * 8)
                || substring(p.data FROM place.high * 8 + 1)
            FROM (
                SELECT term, posting_place(data, span.low) AS low, posting_place(data, span.high) AS high FROM postings
                WHERE tenant_id = span.tenant_id AND collection_id = span.collection_id AND run = span.home
            ) AS place
            WHERE p.tenant_id = span.tenant_id AND p.collection_id = span.collection_id AND p.run = span.home
            AND p.term = place.term AND place.high > place.low;
            DELETE FROM postings WHERE tenant_id = span.tenant_id AND collection_id = span.collection_id
            AND run = span.home AND length(data) = 0;
        END LOOP;
        UPDATE runs r SET alive = r.alive - lost.chunks, words = r.words - lost.words FROM (
            SELECT tenant_id, collection_id, number / {RUN} AS run, count(*) AS chunks, sum(length) AS words
            FROM gone GROUP BY 1, 2, 3
        ) AS lost
        WHERE r.tenant_id = lost.tenant_id AND r.collection_id = lost.collection_id AND r.run = lost.run;
        RETURN NULL;
    END $$
"""  # noqa: S608  # a number
TRIGGER = """
    CREATE TRIGGER forget_postings AFTER DELETE ON chunks REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_postings()
"""


def upgrade() -> None:
    op.rename_table("postings", "posting_rows")
    op.execute("ALTER TABLE posting_rows RENAME CONSTRAINT pk_postings TO pk_posting_rows")
    op.add_column("chunks", sa.Column("number", sa.Integer(), nullable=True))
    op.execute(NUMBERS)
    op.alter_column("chunks", "number", nullable=False)
    op.create_index("ix_chunks_tenant_id_collection_id_number", "chunks", ["tenant_id", "collection_id", "number"])
    op.drop_index("ix_chunks_tenant_id_collection_id", table_name="chunks")
    op.create_table(
        "runs",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("collection_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("home", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("alive", sa.Integer(), nullable=False),
        sa.Column("words", sa.BigInteger(), nullable=False),
        sa.Column("folded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection_id", "run", name=op.f("pk_runs")),
    )
    op.create_table(
        "postings",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("collection_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection_id", "term", "run", name=op.f("pk_postings")),
    )
    op.create_index(
        "ix_postings_tenant_id_collection_id_run", "postings", ["tenant_id", "collection_id", "run"], unique=False
    )
    # Not compressed: a part of it is read without the rest. Room on each page for what is appended.
    op.execute("ALTER TABLE postings ALTER COLUMN data SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE postings SET (fillfactor = 70)")
    op.execute(RUNS)
    op.execute(POSTINGS)
    op.drop_table("posting_rows")
    for table in ("runs", "postings"):
        for statement in isolation(table):
            op.execute(statement)
    for statement in (PLACE, FORGET, TRIGGER):
        op.execute(statement)


ROWS = """
    -- Taken apart first: joined before, each chunk would be held against every posting of its collection.
    WITH whole AS MATERIALIZED (
        SELECT tenant_id, collection_id, term, data || ''::bytea AS data FROM posting_runs
    ), held AS MATERIALIZED (
        SELECT tenant_id, collection_id, term,
            (get_byte(data, at) << 24) + (get_byte(data, at + 1) << 16) + (get_byte(data, at + 2) << 8)
                + get_byte(data, at + 3) AS number,
            (get_byte(data, at + 4) << 8) + get_byte(data, at + 5) AS frequency
        FROM whole, generate_series(0, length(data) - 8, 8) AS at
    )
    INSERT INTO postings (tenant_id, collection_id, term, chunk_id, frequency)
    SELECT held.tenant_id, held.collection_id, held.term, c.id, held.frequency
    FROM held JOIN chunks c ON c.tenant_id = held.tenant_id AND c.collection_id = held.collection_id
    AND c.number = held.number
"""


def downgrade() -> None:
    op.execute("DROP TRIGGER forget_postings ON chunks")
    op.execute("DROP FUNCTION forget_postings()")
    op.execute("DROP FUNCTION posting_place(bytea, int)")
    op.rename_table("postings", "posting_runs")
    op.execute("ALTER TABLE posting_runs RENAME CONSTRAINT pk_postings TO pk_posting_runs")
    op.create_table(
        "postings",
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("collection_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("chunk_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("frequency", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["chunks.id"], name=op.f("fk_postings_chunk_id_chunks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "collection_id", "term", "chunk_id", name=op.f("pk_postings")),
    )
    op.execute(ROWS)
    op.create_index("ix_postings_chunk_id", "postings", ["chunk_id"], unique=False)
    op.drop_table("posting_runs")
    op.drop_table("runs")
    op.drop_index("ix_chunks_tenant_id_collection_id_number", table_name="chunks")
    op.drop_column("chunks", "number")
    op.create_index("ix_chunks_tenant_id_collection_id", "chunks", ["tenant_id", "collection_id"], unique=False)
    for statement in isolation("postings"):
        op.execute(statement)
