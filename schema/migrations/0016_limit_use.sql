-- What a live step has of named limits, {NAME: n}: while it is placed, running or cancelling what its
-- attempt holds, while it is waiting what it waits for. Given back with the row, or with its attempt.
ALTER TABLE step_live ADD COLUMN limits jsonb;
CREATE INDEX step_live_limits ON step_live (run) WHERE limits IS NOT NULL;

-- Who holds a limit now.
CREATE VIEW limit_use AS
    SELECT u.key AS name, u.value::bigint AS n, l.run, l.step, l.iteration, l.state, l.since
    FROM step_live l CROSS JOIN LATERAL jsonb_each_text(l.limits) AS u
    WHERE l.limits IS NOT NULL AND l.state IN ('placed', 'running', 'cancelling');

-- Why a step that wants these waits, as of now.
CREATE FUNCTION leat_limit_wait(wants jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN x.size IS NULL THEN format('there is no limit %s', x.name)
        WHEN x.n > x.size THEN format('wants %s of limit %s, which is %s', x.n, x.name, x.size)
        WHEN x.used + x.n > x.size THEN format('waits for limit %s: %s of %s in use by %s', x.name, x.used, x.size, x.who)
        ELSE 'waits for a worker, or for older steps that want the same limit' END
    FROM (
        SELECT w.key AS name, w.value::bigint AS n, k.n AS size, coalesce(h.used, 0) AS used, h.who
        FROM jsonb_each_text(wants) AS w LEFT JOIN named_limit k ON k.name = w.key
        LEFT JOIN LATERAL (
            SELECT sum(u.n) AS used, string_agg(u.label, ', ' ORDER BY u.since, u.run, u.step, u.iteration)
                FILTER (WHERE u.place <= 3) || CASE WHEN count(*) > 3 THEN format(' and %s more', count(*) - 3) ELSE '' END AS who
            FROM (SELECT y.*, CASE WHEN y.place <= 3 THEN format('%s/%s', r.name, v.ir->'steps'->y.step->>'name') END AS label
                FROM (SELECT z.*, row_number() OVER (ORDER BY z.since, z.run, z.step, z.iteration) AS place
                      FROM limit_use z WHERE z.name = w.key) AS y
                JOIN run_live r ON r.id = y.run
                LEFT JOIN pipeline_version v ON y.place <= 3 AND v.pipeline = r.pipeline AND v.hash = r.version) AS u
        ) AS h ON true) AS x
    ORDER BY (x.size IS NULL) DESC, (x.n > x.size) DESC, (x.used + x.n > x.size) DESC, x.name LIMIT 1
$$;
