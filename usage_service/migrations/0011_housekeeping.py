"""A day's partition is analyzed as often as that tells the planner something, and of columns that queries narrow by.

PostgreSQL analyzes a table when a tenth of it is new: of a day that is being written, every minute, out of a sample of
30,000 rows with all their columns. That was four fifths of what its housekeeping took. When a partition has doubled is
soon enough (numbers of different ids or tenants are kept as shares where they grow), a sample of 6,000 rows tells as
much, and what nobody narrows by need not be told. Vacuum is left as it was: it costs little, and freezes what was
written, so that no wraparound comes all at once.
"""

from importlib import import_module

from alembic import op

revision = "usage_0011"
down_revision = "usage_0010"
branch_labels = None
depends_on = None

TARGET = 20
READ = (
    "requests", "input_tokens", "output_tokens", "characters", "audio_milliseconds", "stored_bytes", "cost_nano_usd",
    "lines", "counts_request",
)  # fmt: skip
"""Columns of events that are read, and that no query narrows by. One that is new is taken for one that does."""
KEEPS = f"""
    CREATE FUNCTION keep_event_statistics(part regclass) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE attribute name;
    BEGIN
        -- Half of what the last vacuum counted: that is when it has about doubled since it was analyzed.
        EXECUTE format('ALTER TABLE %s SET (autovacuum_analyze_threshold = 1000,
                        autovacuum_analyze_scale_factor = 0.5)', part);
        FOR attribute IN SELECT attname FROM pg_attribute WHERE attrelid = part AND attnum > 0 AND NOT attisdropped LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', part, attribute,
                           CASE WHEN attribute IN {READ} THEN 0 ELSE {TARGET} END);
        END LOOP;
    END $$
"""  # noqa: S608  # names of columns
MAKES = """
    CREATE OR REPLACE FUNCTION ensure_event_partition(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    DECLARE name text := 'events_' || to_char(day, 'YYYYMMDD');
    BEGIN
        IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
        PERFORM pg_advisory_xact_lock(hashtext('ensure_event_partition'));
        IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
        -- An event of a gateway whose clock is ahead came before its day: the default partition has it, and PostgreSQL
        -- makes no partition for what stands there.
        EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('REVOKE ALL ON %I FROM aisp_usage', name);
        PERFORM keep_event_statistics(name::regclass);
        EXECUTE format('WITH moved AS (DELETE FROM events_default AS d WHERE d.day = %L RETURNING d.*)
                        INSERT INTO %I SELECT * FROM moved', day, name);
        EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, day, day + 1);
    END $$
"""


def upgrade() -> None:
    op.execute(KEEPS)
    op.execute("REVOKE ALL ON FUNCTION keep_event_statistics(regclass) FROM PUBLIC, aisp_usage")
    op.execute(MAKES)
    op.execute("SELECT keep_event_statistics(inhrelid) FROM pg_inherits WHERE inhparent = 'events'::regclass")


RESET = """
    DO $$ DECLARE part regclass; attribute name; BEGIN
        FOR part, attribute IN SELECT inhrelid, attname FROM pg_inherits JOIN pg_attribute ON attrelid = inhrelid
            WHERE inhparent = 'events'::regclass AND attnum > 0 AND NOT attisdropped
        LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS -1', part, attribute);
        END LOOP;
        FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass LOOP
            EXECUTE format('ALTER TABLE %s RESET (autovacuum_analyze_threshold, autovacuum_analyze_scale_factor)',
                           part);
        END LOOP;
    END $$
"""


def downgrade() -> None:
    op.execute(import_module("usage_service.migrations.0004_partitions").MOVES)
    op.execute("DROP FUNCTION keep_event_statistics(regclass)")
    op.execute(RESET)
