-- Steps that are DAGs (groups, for_each, loop, switch): one row for each try, written when it
-- begins and never changed. Its instances have the iterations first, first + 1, …
CREATE TABLE group_start (
    run       uuid    NOT NULL,
    step      integer NOT NULL,             -- index of the group in the version's IR
    iteration integer NOT NULL,             -- the instance that the group itself stands in
    attempt   integer NOT NULL,             -- which try of the group
    first     integer NOT NULL,
    count     integer NOT NULL,             -- items of a for_each, most rounds of a loop, else 1
    branch    integer NOT NULL DEFAULT 0,   -- the branch of a switch that was taken
    items     jsonb,                        -- of a for_each, when they are not in the IR
    PRIMARY KEY (run, step, iteration, attempt)
) PARTITION BY RANGE (run);
CREATE TABLE group_start_rest PARTITION OF group_start DEFAULT;

-- History like the others: made and dropped by whole weeks.
CREATE OR REPLACE FUNCTION leat_partitions_make(at timestamptz) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    week timestamptz;
    parent text;
    child text;
    made integer := 0;
BEGIN
    FOR i IN 0..2 LOOP
        week := (date_trunc('week', at AT TIME ZONE 'UTC') + i * interval '7 days') AT TIME ZONE 'UTC';
        FOREACH parent IN ARRAY ARRAY['run_done', 'step_result', 'attempt_done', 'group_start', 'event'] LOOP
            child := parent || to_char(week AT TIME ZONE 'UTC', '_YYYYMMDD');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            BEGIN
                IF parent = 'event' THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                                   child, parent, week, week + interval '7 days');
                ELSE
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                                   child, parent, uuid_at(week), uuid_at(week + interval '7 days'));
                END IF;
                made := made + 1;
            EXCEPTION WHEN check_violation THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT leat_partitions_make(now());

CREATE OR REPLACE FUNCTION leat_history_drop(before timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS child,
               to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS week
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('run_done'::regclass, 'step_result'::regclass, 'attempt_done'::regclass,
                              'group_start'::regclass, 'event'::regclass)
          AND c.relname ~ '_[0-9]{8}$'
        ORDER BY 2, c.relname
    LOOP
        EXIT WHEN part.week + interval '7 days' > before;
        CONTINUE WHEN leat_week_is_live(part.week);
        EXECUTE format('DROP TABLE %s', part.child);
        RETURN part.child::text;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION leat_rest_delete(before timestamptz, most integer) RETURNS bigint LANGUAGE sql AS $$
    WITH live AS (
        SELECT id FROM run_live UNION SELECT retry_of FROM run_live WHERE retry_of IS NOT NULL
    ), runs AS (
        DELETE FROM run_done_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM run_done_rest r WHERE r.finished < before
               AND r.id NOT IN (SELECT id FROM live) LIMIT most)) RETURNING 1
    ), results AS (
        DELETE FROM step_result_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM step_result_rest r WHERE r.finished < before
               AND r.run NOT IN (SELECT id FROM live) LIMIT most)) RETURNING 1
    ), attempts AS (
        DELETE FROM attempt_done_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM attempt_done_rest r WHERE r.finished < before
               AND r.run NOT IN (SELECT id FROM live) LIMIT most)) RETURNING 1
    ), groups AS (                           -- they have no time of their own: with their runs
        DELETE FROM group_start_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM group_start_rest g WHERE g.run NOT IN (SELECT id FROM live)
               AND NOT EXISTS (SELECT FROM run_done r WHERE r.id = g.run) LIMIT most))
        RETURNING 1
    ), events AS (
        DELETE FROM event_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM event_rest e WHERE e.received < before
               AND e.id NOT IN (SELECT event FROM run_live WHERE event IS NOT NULL) LIMIT most))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM results)
         + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM groups)
         + (SELECT count(*) FROM events)
$$;

-- Groups run without being placed, and wait between two tries.
CREATE OR REPLACE FUNCTION step_live_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('pending', 'waiting'), ('pending', 'ready'), ('pending', 'placed'),
        ('pending', 'running'), ('pending', 'cancelling'), ('pending', 'succeeded'),
        ('pending', 'failed'), ('pending', 'skipped'), ('pending', 'cancelled'),
        ('pending', 'upstream_failed'), ('waiting', 'ready'), ('waiting', 'placed'),
        ('waiting', 'running'), ('waiting', 'cancelling'), ('waiting', 'succeeded'),
        ('waiting', 'failed'), ('waiting', 'skipped'), ('waiting', 'cancelled'),
        ('ready', 'waiting'), ('ready', 'placed'), ('ready', 'running'),
        ('ready', 'cancelling'), ('ready', 'succeeded'), ('ready', 'failed'),
        ('ready', 'skipped'), ('ready', 'cancelled'), ('placed', 'waiting'),
        ('placed', 'ready'), ('placed', 'running'), ('placed', 'cancelling'),
        ('placed', 'succeeded'), ('placed', 'failed'), ('placed', 'skipped'),
        ('placed', 'cancelled'), ('running', 'waiting'), ('running', 'ready'),
        ('running', 'placed'), ('running', 'cancelling'), ('running', 'succeeded'),
        ('running', 'failed'), ('running', 'skipped'), ('running', 'cancelled'),
        ('cancelling', 'waiting'), ('cancelling', 'ready'), ('cancelling', 'placed'),
        ('cancelling', 'running'), ('cancelling', 'succeeded'), ('cancelling', 'failed'),
        ('cancelling', 'skipped'), ('cancelling', 'cancelled')) THEN
        RAISE EXCEPTION 'step: % does not follow %', NEW.state, OLD.state;
    END IF;
    RETURN NEW;
END $$;
