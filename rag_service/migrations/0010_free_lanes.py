"""Lanes of vectors: a way to get rid of those that nobody has any more."""

from alembic import op

revision = "rag_0010"
down_revision = "rag_0009"
branch_labels = None
depends_on = None

LANES = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'vectors'::regclass AND c.relname ~ '^vectors_[1-9][0-9]*$'
"""
DROP_FREE_LANES = f"""
    CREATE FUNCTION drop_free_lanes() RETURNS int LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
    -- Drops the partitions of collections that are gone; answers how many. For a moment nobody else may read vectors:
    -- if it does not get that within a second it fails, and whoever comes next does it.
    DECLARE
        name text;
        dropped int := 0;
        asking text := current_setting('aisp.tenant', true);
    BEGIN
        PERFORM set_config('aisp.tenant', '*', true);
        FOR name IN {LANES} AND NOT EXISTS (SELECT FROM vector_lanes l WHERE l.lane = substring(c.relname FROM 9)::int)
        LOOP
            EXECUTE format('DROP TABLE %I', name);
            dropped := dropped + 1;
        END LOOP;
        PERFORM set_config('aisp.tenant', coalesce(asking, ''), true);
        RETURN dropped;
    END $$
"""  # noqa: S608  # a constant


def upgrade() -> None:
    op.execute(DROP_FREE_LANES)


def downgrade() -> None:
    op.execute("DROP FUNCTION drop_free_lanes()")
