"""Deleted chunks that lie scattered are taken out of the lexical index in one reading, not in one for each of them."""

from importlib import import_module

from alembic import op

revision = "rag_0012"
down_revision = "rag_0011"
branch_labels = None
depends_on = None

FORGET = """
    CREATE FUNCTION forget_postings() RETURNS trigger LANGUAGE plpgsql AS $$
    -- Takes deleted chunks out of the lexical index, whoever deletes them: home by home (see repository/postings.py).
    DECLARE
        touched record;
        span record;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(collection_id::text, 0)) FROM (
            SELECT DISTINCT collection_id FROM gone ORDER BY 1
        ) AS touched_collections;
        FOR touched IN
            SELECT tenant_id, collection_id, home, array_agg(number ORDER BY number) AS numbers,
                   count(DISTINCT number - place) AS spans
            FROM (
                SELECT g.tenant_id, g.collection_id, r.home, g.number,
                       row_number() OVER (PARTITION BY g.collection_id, r.home ORDER BY g.number) AS place
                FROM gone g JOIN runs r ON r.tenant_id = g.tenant_id AND r.collection_id = g.collection_id
                AND r.run = g.number / 512
            ) AS numbered GROUP BY tenant_id, collection_id, home
        LOOP
            IF touched.spans <= 4 THEN
                -- Neighbours are cut out where they are found: nothing else is read of a posting list. Rows are joined
                -- by their place: by their terms, a planner without statistics compares each with every other one.
                FOR span IN
                    SELECT min(number) AS low, max(number) + 1 AS high
                    FROM unnest(touched.numbers) WITH ORDINALITY AS one(number, place) GROUP BY number - place
                LOOP
                    UPDATE postings p SET data = substring(p.data FROM 1 FOR place.low * 8)
                        || substring(p.data FROM place.high * 8 + 1)
                    FROM (
                        SELECT ctid AS row, posting_place(data, span.low) AS low, posting_place(data, span.high) AS high
                        FROM postings WHERE tenant_id = touched.tenant_id
                        AND collection_id = touched.collection_id AND run = touched.home
                    ) AS place
                    WHERE p.ctid = place.row AND place.high > place.low;
                END LOOP;
            ELSE
                -- A version that changes here and there: every posting is looked at, once.
                WITH lost AS MATERIALIZED (
                    SELECT int4send(number) AS number FROM unnest(touched.numbers) AS number
                ), held AS MATERIALIZED (
                    -- Joined with nothing, so that long lists are fetched whole, and once.
                    SELECT ctid AS place, data || ''::bytea AS data FROM postings WHERE tenant_id = touched.tenant_id
                    AND collection_id = touched.collection_id AND run = touched.home
                ), kept AS (
                    SELECT h.place, string_agg(one.posting, ''::bytea ORDER BY one.at)
                        FILTER (WHERE lost.number IS NULL) AS data
                    FROM held h CROSS JOIN LATERAL (
                        SELECT at, substring(h.data FROM at * 8 + 1 FOR 8) AS posting
                        FROM generate_series(0, length(h.data) / 8 - 1) AS at
                    ) AS one LEFT JOIN lost ON lost.number = substring(one.posting FROM 1 FOR 4)
                    GROUP BY h.place HAVING count(lost.number) > 0
                )
                UPDATE postings p SET data = coalesce(kept.data, ''::bytea) FROM kept WHERE p.ctid = kept.place;
            END IF;
            DELETE FROM postings WHERE tenant_id = touched.tenant_id AND collection_id = touched.collection_id
            AND run = touched.home AND length(data) = 0;
        END LOOP;
        UPDATE runs r SET alive = r.alive - lost.chunks, words = r.words - lost.words FROM (
            SELECT tenant_id, collection_id, number / 512 AS run, count(*) AS chunks, sum(length) AS words
            FROM gone GROUP BY 1, 2, 3
        ) AS lost
        WHERE r.tenant_id = lost.tenant_id AND r.collection_id = lost.collection_id AND r.run = lost.run;
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    replace(FORGET)
    # The chunks of a document that say what a staged one says are looked for one by one.
    op.create_index("ix_chunks_document_id_digest", "chunks", ["document_id", "digest"])
    op.drop_index("ix_chunks_document_id", table_name="chunks")


def downgrade() -> None:
    op.create_index("ix_chunks_document_id", "chunks", ["document_id"])
    op.drop_index("ix_chunks_document_id_digest", table_name="chunks")
    replace(import_module("rag_service.migrations.0002_runs").FORGET)


def replace(function: str) -> None:
    op.execute("DROP TRIGGER forget_postings ON chunks")
    op.execute("DROP FUNCTION forget_postings()")
    op.execute(function)
    op.execute(import_module("rag_service.migrations.0002_runs").TRIGGER)
