-- As in 0010, and what is told is the name of what was dropped.
CREATE OR REPLACE FUNCTION leat_history_drop(before timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass::text AS child, -- as text: a name that is looked up after the DROP is a number
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
        RETURN part.child;
    END LOOP;
    RETURN NULL;
END $$;
