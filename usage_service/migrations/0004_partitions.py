"""A day's partition takes what came before it was there; nobody reads past the parent; starter prices that are new."""

from importlib import import_module

from alembic import op

revision = "usage_0004"
down_revision = "usage_0003"
branch_labels = None
depends_on = None

MOVES = """
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
        EXECUTE format('WITH moved AS (DELETE FROM events_default AS d WHERE d.day = %L RETURNING d.*)
                        INSERT INTO %I SELECT * FROM moved', day, name);
        EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, day, day + 1);
    END $$
"""
MAKES = """
    CREATE OR REPLACE FUNCTION ensure_event_partition(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    DECLARE name text := 'events_' || to_char(day, 'YYYYMMDD');
    BEGIN
        IF to_regclass(name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('ensure_event_partition'));
            IF to_regclass(name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
                               name, day, day + 1);
            END IF;
        END IF;
    END $$
"""
# The policies stand on the parent: a partition that could be read by itself would show every tenant's rows.
CLOSED = """
    DO $$ DECLARE part regclass; BEGIN
        FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass LOOP
            EXECUTE format('REVOKE ALL ON %s FROM aisp_usage', part);
        END LOOP;
    END $$
"""


def upgrade() -> None:
    op.execute(MOVES)
    op.execute(CLOSED)
    import_module("usage_service.migrations.0003_books").add_starter_prices()


def downgrade() -> None:
    op.execute(MAKES)
