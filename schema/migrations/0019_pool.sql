-- What is said of a pool, by a file of kind: pool. A change raises catalog.gen. A pool may be known from its
-- workers alone: then it has no row here.
CREATE TABLE pool (
    name        text PRIMARY KEY,
    slots       bigint CHECK (slots BETWEEN 0 AND 1000000), -- NULL: as many as its workers have
    path        text,                                       -- NULL: what each worker is configured with
    description text,
    gen         bigint NOT NULL,
    updated     timestamptz NOT NULL DEFAULT now()
);

-- Whose slots the attempt uses, and how many: with a worker. Given back with the attempt.
ALTER TABLE step_live ADD COLUMN pool text, ADD COLUMN slots integer;
UPDATE step_live l
SET pool = coalesce(v.ir->'steps'->l.step->>'pool', 'default'), slots = coalesce((v.ir->'steps'->l.step->'resources'->>'slots')::integer, 1)
FROM run_live r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
WHERE r.id = l.run AND l.worker IS NOT NULL;

CREATE VIEW pool_use AS SELECT pool AS name, sum(slots) AS used FROM step_live WHERE pool IS NOT NULL GROUP BY pool;

-- All that there are: by files, by workers and by what runs.
CREATE VIEW pool_known AS
    SELECT n.name, k.name IS NOT NULL AS file, k.slots, k.path, k.description, k.updated, coalesce(u.used, 0) AS used,
           coalesce(w.workers, 0) AS workers, coalesce(w.active, 0) AS active, coalesce(w.capacity, 0) AS capacity
    FROM (SELECT name FROM pool UNION SELECT name FROM pool_use
          UNION SELECT coalesce(info->>'pool', 'default') FROM worker WHERE NOT info ? 'removed') AS n
    LEFT JOIN pool k ON k.name = n.name
    LEFT JOIN pool_use u ON u.name = n.name
    LEFT JOIN (SELECT coalesce(info->>'pool', 'default') AS name, count(*) AS workers, count(*) FILTER (WHERE state = 'active') AS active,
                      sum((info->>'slots')::bigint) FILTER (WHERE state = 'active') AS capacity
               FROM worker WHERE NOT info ? 'removed' GROUP BY 1) AS w ON w.name = n.name;

-- Why a step that wants so many slots of a pool waits, as of now; NULL: for nothing that the pool is the reason of.
CREATE FUNCTION leat_pool_wait(wanted text, n integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN k.name IS NULL AND wanted <> 'default' THEN format('no worker is of pool %s and no file names it: waits until one comes', wanted)
        WHEN n > k.slots THEN format('wants %s of the slots of pool %s, which has %s', n, wanted, k.slots)
        WHEN k.used + n > k.slots THEN format('waits for pool %s: %s of %s slots in use', wanted, k.used, k.slots)
        WHEN coalesce(k.active, 0) = 0 THEN format('no worker of pool %s is active', wanted) END
    FROM (SELECT) AS one LEFT JOIN pool_known k ON k.name = wanted
$$;

-- Why a step that wants these waits, as of now; NULL: none of them is the reason.
CREATE OR REPLACE FUNCTION leat_limit_wait(wants jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN x.size IS NULL THEN format('there is no limit %s', x.name)
        WHEN x.n > x.size THEN format('wants %s of limit %s, which is %s', x.n, x.name, x.size)
        WHEN x.used + x.n > x.size THEN format('waits for limit %s: %s of %s in use by %s', x.name, x.used, x.size, x.who) END
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
