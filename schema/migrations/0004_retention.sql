-- History is dropped by whole weeks, weeks ahead are made in time, and neither may hold up a batch:
-- both take locks that batches wait behind, so they give up early and are called again.

ALTER FUNCTION leat_partitions_make(timestamptz) SET lock_timeout = '200ms';
DROP FUNCTION leat_events_drop(timestamptz);

-- Does anything that is live still need rows of that week? Results of a live run, of the run that a
-- pending retry takes over from, the event of a live run (stored when the run was made).
CREATE FUNCTION leat_week_is_live(week timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM run_live r
                   WHERE r.id >= uuid_at(week) AND r.id < uuid_at(week + interval '7 days')
                      OR r.retry_of >= uuid_at(week) AND r.retry_of < uuid_at(week + interval '7 days')
                      OR r.created >= week - interval '1 day' AND r.created < week + interval '8 days')
        OR EXISTS (SELECT FROM run_live r JOIN event e ON e.id = r.event   -- that of a retry is older
                   WHERE e.received >= week AND e.received < week + interval '7 days')
$$;

-- Drops one partition of history that ended before `before` and that nothing live needs, the oldest
-- first; its name, or NULL when there is none. One a call: each is a transaction of its own.
CREATE FUNCTION leat_history_drop(before timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS child,
               to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS week
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('run_done'::regclass, 'step_result'::regclass, 'attempt_done'::regclass,
                              'event'::regclass)
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

-- Rows that came before the partition of their week, or whose id is of no week, by their end; at most
-- `most` of each table. Returns the number.
CREATE INDEX run_done_rest_finished ON run_done_rest USING brin (finished);
CREATE INDEX step_result_rest_finished ON step_result_rest USING brin (finished);
CREATE INDEX attempt_done_rest_finished ON attempt_done_rest USING brin (finished);
CREATE FUNCTION leat_rest_delete(before timestamptz, most integer) RETURNS bigint LANGUAGE sql AS $$
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
    ), events AS (
        DELETE FROM event_rest WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM event_rest e WHERE e.received < before
               AND e.id NOT IN (SELECT event FROM run_live WHERE event IS NOT NULL) LIMIT most))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM results)
         + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM events)
$$;
