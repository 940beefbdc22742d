-- What leat-api reads and writes. Answers that are shown as they are come as one text of JSON.

-- $1 version, $2 backend of the queue; elsewhere than embedded: $3 id of the bus (NULL = not known), $4 topics, $5 partitions
-- and $6 ends of what the leader reads (none = it does not answer), $7 whether it survives power loss (NULL = not known).
-- name: api_status
SELECT jsonb_build_object(
    'leader', jsonb_build_object('holder', l.holder, 'epoch', l.epoch, 'beating', EXISTS (
        SELECT FROM pg_stat_activity a WHERE a.pid = l.backend_pid AND a.backend_start = l.backend_start)),
    'bus', jsonb_build_object('backend', $2::text, 'lag', CASE WHEN $2::text = 'embedded' THEN (
        SELECT coalesce(sum(p.next - coalesce(o.next, 0)), 0)::bigint
        FROM bus_partition p JOIN bus_topic t ON t.id = p.topic CROSS JOIN bus b
        LEFT JOIN read_offset o ON o.bus = b.id AND o.topic = t.name AND o.partition = p.partition
        WHERE t.name IN ('leat.commands', 'leat.reports', 'leat.events'))
    ELSE (
        SELECT sum(greatest(e.next - coalesce(o.next, 0), 0))::bigint
        FROM unnest($4::text[], $5::integer[], $6::bigint[]) AS e (topic, partition, next)
        LEFT JOIN read_offset o ON o.bus = $3::uuid AND o.topic = e.topic AND o.partition = e.partition) END),
    'database', current_setting('server_version'),
    'class', CASE WHEN current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'
        AND ($2::text = 'embedded' OR $7::boolean) THEN 'survives process crashes and power loss' ELSE 'survives process crashes' END,
    'workers', (SELECT jsonb_build_object('active', count(*) FILTER (WHERE state = 'active'),
        'unreachable', count(*) FILTER (WHERE state = 'unreachable'), 'known', count(*), 'most', l.most_workers) FROM worker),
    'pipelines', (SELECT jsonb_build_object('count', count(*), 'most', l.most_pipelines) FROM pipeline WHERE NOT deleted),
    'runs', (SELECT jsonb_build_object('live', count(*), 'queued', count(*) FILTER (WHERE state = 'queued'), 'most', l.most_runs) FROM run_live),
    'version', $1::text)::text
FROM leader l;

-- name: api_catalog_raise
UPDATE catalog SET gen = gen + 1;

-- name: api_catalog_notify
NOTIFY leat_catalog;

-- $1 name, $2 hash, $3 file, $4 IR. A version that is there stays as it was first applied.
-- name: api_version_put
INSERT INTO pipeline_version (pipeline, hash, number, file, ir)
SELECT $1::text, $2::text, 1 + (SELECT count(*) FROM pipeline_version WHERE pipeline = $1::text), $3::text, $4::jsonb
ON CONFLICT (pipeline, hash) DO NOTHING;

-- name: api_pipeline_put
WITH old AS (SELECT version, deleted FROM pipeline WHERE name = $1::text), put AS (
    INSERT INTO pipeline (name, version, gen) SELECT $1::text, $2::text, gen FROM catalog
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, deleted = false, gen = excluded.gen
    WHERE pipeline.version <> excluded.version OR pipeline.deleted)
SELECT CASE WHEN NOT EXISTS (SELECT FROM old WHERE NOT deleted) THEN leat_room('pipelines', (SELECT count(*) FROM pipeline WHERE NOT deleted))
    WHEN (SELECT version FROM old) = $2::text THEN 'unchanged'
    WHEN v.created < now() THEN 'reverted' ELSE 'updated' END, v.number
FROM pipeline_version v WHERE v.pipeline = $1::text AND v.hash = $2::text;

-- name: api_source_put
WITH old AS (SELECT * FROM source WHERE name = $1::text), put AS (
    INSERT INTO source (name, provider, secret, config, gen)
    SELECT $1::text, $2::text, $3::text, $4::jsonb, gen FROM catalog
    ON CONFLICT (name) DO UPDATE SET provider = excluded.provider, secret = excluded.secret,
        config = excluded.config, gen = excluded.gen, updated = now())
SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('sources', (SELECT count(*) FROM source)) WHEN EXISTS (
    SELECT FROM old WHERE provider = $2::text AND secret IS NOT DISTINCT FROM $3::text AND config = $4::jsonb)
    THEN 'unchanged' ELSE 'updated' END;

-- $1 name, $2 a version by hash prefix or number, '' = the current one. No row: no such pipeline; NULL: no such version.
-- name: api_version_ir
SELECT v.ir::text FROM pipeline p LEFT JOIN pipeline_version v ON v.pipeline = p.name AND (
    $2::text = '' AND v.hash = p.version OR v.number::text = $2::text OR length($2::text) >= 4 AND starts_with(v.hash, $2::text))
WHERE p.name = $1::text AND NOT p.deleted ORDER BY v.number DESC LIMIT 1;

-- name: api_limit_put
WITH old AS (SELECT * FROM named_limit WHERE name = $1::text), put AS (
    INSERT INTO named_limit (name, n, description, gen) SELECT $1::text, $2::bigint, $3::text, gen FROM catalog
    ON CONFLICT (name) DO UPDATE SET n = excluded.n, description = excluded.description, gen = excluded.gen, updated = now())
SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('limits', (SELECT count(*) FROM named_limit)) WHEN EXISTS (
    SELECT FROM old WHERE n = $2::bigint AND description IS NOT DISTINCT FROM $3::text)
    THEN 'unchanged' ELSE 'updated' END;

-- name: api_limit_compare
SELECT CASE WHEN n = $2::bigint AND description IS NOT DISTINCT FROM $3::text THEN 'unchanged' ELSE 'updated' END FROM named_limit WHERE name = $1::text;

-- name: api_limit_names
SELECT name FROM named_limit;

-- name: api_limits
SELECT coalesce(jsonb_agg(jsonb_build_object('name', k.name, 'limit', k.n, 'used', coalesce(u.used, 0), 'waiting', coalesce(w.waiting, 0),
    'description', k.description, 'updated', k.updated) ORDER BY k.name), '[]')::text
FROM named_limit k
LEFT JOIN (SELECT name, sum(n) AS used FROM limit_use GROUP BY name) AS u ON u.name = k.name
LEFT JOIN (SELECT x.key AS name, count(*) AS waiting FROM step_live l CROSS JOIN LATERAL jsonb_object_keys(l.limits) AS x (key)
    WHERE l.limits IS NOT NULL AND l.state = 'waiting' GROUP BY x.key) AS w ON w.name = k.name;

-- The same of one, with the first 100 that hold it, oldest first.
-- name: api_limit
SELECT jsonb_build_object('name', k.name, 'limit', k.n, 'description', k.description, 'updated', k.updated,
    'used', (SELECT coalesce(sum(u.n), 0) FROM limit_use u WHERE u.name = k.name),
    'waiting', (SELECT count(*) FROM step_live l WHERE l.limits ? k.name AND l.state = 'waiting'),
    'holders', (SELECT coalesce(jsonb_agg(jsonb_build_object('run', h.run, 'name', r.name, 'pipeline', r.pipeline,
            'step', v.ir->'steps'->h.step->>'name', 'iteration', h.iteration, 'n', h.n, 'state', h.state, 'since', h.since)
            ORDER BY h.since, h.run, h.step, h.iteration), '[]')
        FROM (SELECT * FROM limit_use u WHERE u.name = k.name ORDER BY u.since, u.run, u.step, u.iteration LIMIT 100) AS h
        JOIN run_live r ON r.id = h.run LEFT JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version))::text
FROM named_limit k WHERE k.name = $1::text;

-- Not while a current version or a live run names it. Was it removed; else who names it.
-- name: api_limit_remove
WITH k AS (SELECT name FROM named_limit WHERE name = $1::text),
named AS (
    SELECT v.pipeline FROM pipeline_version v
    WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted UNION SELECT r.pipeline, r.version FROM run_live r)
      AND EXISTS (SELECT FROM jsonb_array_elements(v.ir->'steps') AS s WHERE s->'limits' ? $1::text)
    ORDER BY v.pipeline LIMIT 1),
raised AS (UPDATE catalog SET gen = gen + 1 WHERE EXISTS (SELECT FROM k) AND NOT EXISTS (SELECT FROM named)),
gone AS (DELETE FROM named_limit l USING k WHERE l.name = k.name AND NOT EXISTS (SELECT FROM named))
SELECT NOT EXISTS (SELECT FROM named), coalesce((SELECT pipeline FROM named), '') FROM k;

-- name: api_pool_put
WITH old AS (SELECT * FROM pool WHERE name = $1::text), put AS (
    INSERT INTO pool (name, slots, path, description, gen) SELECT $1::text, $2::bigint, $3::text, $4::text, gen FROM catalog
    ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, path = excluded.path, description = excluded.description, gen = excluded.gen, updated = now())
SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('pools', (SELECT count(*) FROM pool)) WHEN EXISTS (
    SELECT FROM old WHERE slots IS NOT DISTINCT FROM $2::bigint AND path IS NOT DISTINCT FROM $3::text AND description IS NOT DISTINCT FROM $4::text)
    THEN 'unchanged' ELSE 'updated' END;

-- name: api_pool_compare
SELECT CASE WHEN slots IS NOT DISTINCT FROM $2::bigint AND path IS NOT DISTINCT FROM $3::text AND description IS NOT DISTINCT FROM $4::text
    THEN 'unchanged' ELSE 'updated' END
FROM pool WHERE name = $1::text;

-- Of these, those that nobody has heard of.
-- name: api_pools_unknown
SELECT w.name FROM unnest($1::text[]) AS w (name) WHERE NOT EXISTS (SELECT FROM pool_known k WHERE k.name = w.name) ORDER BY w.name;

-- name: api_pools
SELECT coalesce(jsonb_agg(to_jsonb(k) ORDER BY k.name), '[]')::text FROM pool_known k;

-- The same of one, with the first 100 attempts that use its slots, oldest first.
-- name: api_pool
SELECT (to_jsonb(k) || jsonb_build_object('holders', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('run', h.run, 'name', r.name, 'pipeline', r.pipeline, 'worker', h.worker,
            'step', v.ir->'steps'->h.step->>'name', 'iteration', h.iteration, 'n', h.slots, 'state', h.state, 'since', h.since)
            ORDER BY h.since, h.run, h.step, h.iteration), '[]')
        FROM (SELECT * FROM step_live u WHERE u.pool = k.name ORDER BY u.since, u.run, u.step, u.iteration LIMIT 100) AS h
        JOIN run_live r ON r.id = h.run LEFT JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version)))::text
FROM pool_known k WHERE k.name = $1::text;

-- What its file says goes, not while a current version or a live run names it. Was it removed; else who names it.
-- name: api_pool_remove
WITH k AS (SELECT name FROM pool WHERE name = $1::text),
named AS (
    SELECT v.pipeline FROM pipeline_version v
    WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted UNION SELECT r.pipeline, r.version FROM run_live r)
      AND EXISTS (SELECT FROM jsonb_array_elements(v.ir->'steps') AS s WHERE s->>'pool' = $1::text)
    ORDER BY v.pipeline LIMIT 1),
raised AS (UPDATE catalog SET gen = gen + 1 WHERE EXISTS (SELECT FROM k) AND NOT EXISTS (SELECT FROM named)),
gone AS (DELETE FROM pool p USING k WHERE p.name = k.name AND NOT EXISTS (SELECT FROM named))
SELECT NOT EXISTS (SELECT FROM named), coalesce((SELECT pipeline FROM named), '') FROM k;

-- What api_version_put and api_pipeline_put would say.
-- name: api_pipeline_compare
WITH old AS (SELECT version FROM pipeline WHERE name = $1::text AND NOT deleted),
versions AS (SELECT hash, number FROM pipeline_version WHERE pipeline = $1::text),
same AS (SELECT number FROM versions WHERE hash = $2::text)
SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN 'created' WHEN (SELECT version FROM old) = $2::text THEN 'unchanged'
    WHEN EXISTS (SELECT FROM same) THEN 'reverted' ELSE 'updated' END, coalesce((SELECT number FROM same), 1 + (SELECT count(*) FROM versions));

-- $1 kinds, $2 names of all that an apply would put. Is refused as the apply would be where there is no room for what is new of it.
-- name: api_apply_room
WITH put AS (SELECT DISTINCT kind, name FROM unnest($1::text[], $2::text[]) AS x (kind, name)),
there AS (
    SELECT 'pipeline' AS kind, name FROM pipeline WHERE NOT deleted UNION ALL SELECT 'source', name FROM source
    UNION ALL SELECT 'limit', name FROM named_limit UNION ALL SELECT 'pool', name FROM pool),
counted AS (
    SELECT k.kind, (SELECT count(*) FROM there t WHERE t.kind = k.kind) AS present,
           (SELECT count(*) FROM put p WHERE p.kind = k.kind AND NOT EXISTS (SELECT FROM there t WHERE t.kind = p.kind AND t.name = p.name)) AS fresh
    FROM (SELECT DISTINCT kind FROM put) AS k)
SELECT leat_room(c.kind || 's', least(c.present + c.fresh - 1, greatest(c.present, (SELECT coalesce(most_pipelines, 10000) FROM leader))))
FROM counted c WHERE c.fresh > 0 ORDER BY c.kind;

-- name: api_source_compare
SELECT CASE WHEN provider = $2::text AND secret IS NOT DISTINCT FROM $3::text AND config = $4::jsonb THEN 'unchanged' ELSE 'updated' END
FROM source WHERE name = $1::text;

-- name: api_pipelines
SELECT coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'version', p.version, 'number', v.number, 'paused', p.paused,
    'description', v.ir->>'description', 'applied', v.created, 'runs', p.next_number - 1) ORDER BY p.name), '[]')::text
FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version WHERE NOT p.deleted;

-- $2: a version by hash prefix or number, '' = the current one.
-- name: api_pipeline
SELECT jsonb_build_object('name', p.name, 'version', v.hash, 'number', v.number, 'current', v.hash = p.version,
    'paused', p.paused, 'file', v.file, 'ir', v.ir, 'triggers', v.ir->'triggers', 'versions', (
        SELECT jsonb_agg(jsonb_build_object('version', o.hash, 'number', o.number, 'applied', o.created) ORDER BY o.number DESC)
        FROM pipeline_version o WHERE o.pipeline = p.name))::text
FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name
WHERE p.name = $1::text AND NOT p.deleted AND ($2::text = '' AND v.hash = p.version OR v.number::text = $2::text
    OR length($2::text) >= 4 AND starts_with(v.hash, $2::text))
ORDER BY v.number DESC LIMIT 1;

-- $1 pipeline, $2 paused, $3 deleted. The leader reads the catalog's gen in every batch.
-- name: api_pipeline_move
WITH raised AS (UPDATE catalog SET gen = gen + 1 RETURNING gen),
moved AS (UPDATE pipeline p SET paused = $2::boolean, deleted = $3::boolean, gen = raised.gen
    FROM raised WHERE p.name = $1::text AND NOT p.deleted RETURNING p.name, p.paused, p.deleted)
SELECT jsonb_build_object('name', name, 'paused', paused, 'deleted', deleted)::text FROM moved, pg_notify('leat_catalog', '');

-- $1 pipeline, $2 trigger (of the current version, or one that is paused), $3 paused.
-- name: api_trigger_move
WITH raised AS (UPDATE catalog SET gen = gen + 1 RETURNING gen),
moved AS (UPDATE pipeline p SET gen = raised.gen, paused_triggers = array_remove(p.paused_triggers, $2::text)
        || CASE WHEN $3::boolean THEN ARRAY[$2::text] ELSE '{}' END
    FROM raised WHERE p.name = $1::text AND NOT p.deleted AND ($2::text = ANY (p.paused_triggers) OR EXISTS (
        SELECT FROM pipeline_version v, jsonb_array_elements(v.ir->'triggers') AS t
        WHERE v.pipeline = p.name AND v.hash = p.version AND t->>'name' = $2::text))
    RETURNING p.name)
SELECT jsonb_build_object('pipeline', name, 'name', $2::text, 'paused', $3::boolean)::text FROM moved, pg_notify('leat_catalog', '');

-- The last verdict is looked for among the newest 1,000 events.
-- name: api_triggers
WITH newest AS (SELECT id, received, verdicts FROM event ORDER BY received DESC LIMIT 1000),
last AS (
    SELECT DISTINCT ON (1, 2) x->>'pipeline' AS pipeline, x->>'trigger' AS trigger, jsonb_strip_nulls(jsonb_build_object(
        'verdict', x->>'verdict', 'event', e.id, 'received', e.received, 'run', x->>'run', 'reason', x->>'reason')) AS verdict
    FROM newest e CROSS JOIN LATERAL jsonb_array_elements(e.verdicts) AS x ORDER BY 1, 2, e.received DESC)
SELECT coalesce(jsonb_agg((t - 'params' - 'vars' - 'run_name' - 'experiment') || jsonb_build_object('pipeline', p.name,
    'name', t->>'name', 'paused', p.paused OR t->>'name' = ANY (p.paused_triggers), 'last', l.verdict, 'last_slot', c.last,
    'on', concat_ws(' ', t->>'schedule', t->>'timezone', t->>'bucket', t->>'source', t->>'branch', t->>'tag', t->>'type',
        (t->>'prefix') || '*', '*' || (t->>'suffix')))
    ORDER BY p.name, n), '[]')::text
FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version
CROSS JOIN LATERAL jsonb_array_elements(v.ir->'triggers') WITH ORDINALITY AS e (t, n)
LEFT JOIN last l ON l.pipeline = p.name AND l.trigger = t->>'name'
LEFT JOIN cron_slot c ON c.pipeline = p.name AND c.trigger = t->>'name'
WHERE NOT p.deleted;

-- name: api_experiments
SELECT coalesce(jsonb_agg(jsonb_build_object('name', experiment, 'runs', runs, 'succeeded', succeeded, 'failed', failed,
    'last', last, 'pipelines', pipelines) ORDER BY last DESC), '[]')::text
FROM (SELECT experiment, count(*) AS runs, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE state = 'failed') AS failed, max(created) AS last, jsonb_agg(DISTINCT pipeline) AS pipelines
    FROM run WHERE experiment <> '' GROUP BY experiment ORDER BY max(created) DESC LIMIT 1000) AS x;

-- $1 pipeline, $2 state, $3 experiment ('' = any), $4 since, $5 below this id (NULL = none), $6 how many.
-- name: api_runs
SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id DESC), '[]')::text FROM (
    SELECT * FROM run
    WHERE ($1::text = '' OR pipeline = $1::text) AND ($2::text = '' OR state = $2::text)
      AND ($3::text = '' OR experiment = $3::text)
      AND ($4::timestamptz IS NULL OR id >= uuid_at($4::timestamptz)) AND ($5::uuid IS NULL OR id < $5::uuid)
    ORDER BY id DESC LIMIT $6::bigint) AS r;

-- name: api_run_between
SELECT id FROM run WHERE id BETWEEN $1::uuid AND $2::uuid ORDER BY id LIMIT 2;

-- name: api_run_latest
SELECT id FROM run WHERE $1::text = '' OR pipeline = $1::text ORDER BY id DESC LIMIT 1;

-- All of a run, whatever its size: every table is read once and joined by hash (pg_options.whole_reads).
-- name: api_run
WITH RECURSIVE r AS (SELECT * FROM run WHERE id = $1::uuid),
steps AS (
    SELECT step, (ord - 1)::int AS n, step->>'name' AS name
    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)),
results AS (SELECT s.* FROM step_result s, r WHERE s.run = r.id),
live AS (SELECT l.* FROM step_live l, r WHERE l.run = r.id),
instances AS (                              -- of a step inside a group only those that have begun
    SELECT e.*, 0 AS iteration FROM steps e WHERE NOT e.step ? 'in'
    UNION ALL SELECT e.*, x.iteration FROM steps e JOIN (
        SELECT step, iteration FROM results UNION SELECT step, iteration FROM live
    ) x ON x.step = e.n WHERE e.step ? 'in'),
groups AS (
    SELECT g.first, g.count, g.iteration AS around, e.step ? 'loop' AS rounds, coalesce(g.items, e.step->'for_each'->'items') AS items
    FROM r JOIN group_start g ON g.run = r.id JOIN steps e ON e.n = g.step),
frames AS (                                 -- their items; those of loops and plain groups have none
    SELECT g.first + (i.ord - 1) AS iteration, g.around, i.ord - 1 AS ordinal, i.item, format('%s: %s', i.ord - 1, left(i.item #>> '{}', 40)) AS label
    FROM groups g CROSS JOIN LATERAL jsonb_array_elements(g.items) WITH ORDINALITY AS i (item, ord)
    UNION ALL SELECT g.first + k, g.around, k, NULL, CASE WHEN g.rounds THEN format('round %s', k) END
    FROM groups g CROSS JOIN LATERAL generate_series(0, g.count - 1) AS k WHERE g.items IS NULL),
within AS (                                 -- of which item or round, from outside inwards
    SELECT iteration, label AS place FROM frames WHERE around = 0
    UNION ALL SELECT f.iteration, nullif(concat_ws(' / ', w.place, f.label), '') FROM within w JOIN frames f ON f.around = w.iteration),
queued AS (                                 -- why it waits, by what goes on in its concurrency group now
    SELECT format('waits for its concurrency group: %s of %s runs go on, %s came before it', count(*) FILTER (WHERE o.state IN ('running', 'cancelling')),
        coalesce(max(v.ir->'concurrency'->>'limit'), '1'), count(*) FILTER (WHERE o.state = 'queued' AND (o.created, o.id) < (m.created, m.id))) AS reason
    FROM run_live m JOIN r ON r.id = m.id JOIN run_live o ON o.pipeline = m.pipeline AND o.concurrency_key = m.concurrency_key
    JOIN pipeline p ON p.name = m.pipeline JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version
    WHERE m.state = 'queued' HAVING count(*) > 0),
unmet AS (
    SELECT DISTINCT e.n FROM steps e CROSS JOIN LATERAL jsonb_array_elements_text(e.step->'needs') AS need
    JOIN steps o ON o.name = need LEFT JOIN results x ON x.step = o.n AND x.iteration = 0 AND x.state = 'succeeded'
    WHERE x.run IS NULL
    UNION SELECT e.n FROM steps e WHERE e.step ? 'finally' AND NOT e.step ? 'in' AND EXISTS (
        SELECT 1 FROM steps o LEFT JOIN results x ON x.step = o.n AND x.iteration = 0
        WHERE x.run IS NULL AND NOT o.step ? 'in' AND NOT o.step ? 'finally')),
places AS MATERIALIZED (                    -- why a step that is ready waits, by what it wants of which pool and of a worker
    SELECT d.pool, d.asks, d.runner, coalesce(leat_pool_wait(d.pool, (d.asks->>'slots')::int), leat_fit_wait(d.pool, d.asks, d.runner)) AS why
    FROM (SELECT DISTINCT coalesce(e.step->>'pool', 'default') AS pool, e.step->'resources' AS asks, coalesce(e.step->>'executor', '') AS runner
          FROM steps e JOIN r ON r.state = 'running' WHERE e.step ? 'resources') AS d),
gave AS (                                   -- the run's own outputs, as far as their steps have them
    SELECT jsonb_object_agg(o.key, x.outputs->(o.value->>'output')) AS outputs
    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version CROSS JOIN LATERAL jsonb_each(v.ir->'outputs') AS o
    JOIN steps e ON e.name = o.value->>'step' JOIN results x ON x.step = e.n AND x.iteration = 0
    WHERE x.outputs ? (o.value->>'output')),
tries AS (
    SELECT step, iteration, jsonb_agg(to_jsonb(a) - 'run' - 'step' ORDER BY attempt) AS attempts
    FROM r JOIN attempt_done a ON a.run = r.id GROUP BY step, iteration)
SELECT (to_jsonb(r) || coalesce((SELECT jsonb_build_object('reason', q.reason) FROM queued q), '{}') || jsonb_build_object('outputs', (
    SELECT outputs FROM gave), 'cause', (
    SELECT jsonb_build_object('attempt', c.attempt, 'run', c.by_run) FROM run_cause c WHERE c.run = r.id), 'started_by', (
    SELECT jsonb_build_object('run', t.parent, 'step', pv.ir->'steps'->t.step->>'name', 'iteration', t.iteration, 'attempt', t.attempt, 'depth', t.depth)
    FROM run_start t LEFT JOIN run p ON p.id = t.parent LEFT JOIN pipeline_version pv ON pv.pipeline = p.pipeline AND pv.hash = p.version
    WHERE t.child = r.id), 'steps', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', e.name || CASE WHEN e.iteration > 0 THEN '[' || e.iteration || ']' ELSE '' END, 'step', e.name, 'index', e.n, 'kind', e.step->>'kind', 'iteration', e.iteration, 'ordinal', f.ordinal,
        'item', f.item, 'within', w.place,
        'state', coalesce(s.state, l.state, CASE WHEN r.state = 'running' AND u.n IS NULL THEN 'ready' ELSE 'pending' END),
        'reason', coalesce(s.reason, CASE WHEN l.state = 'waiting' AND l.limits IS NOT NULL THEN coalesce(leat_limit_wait(l.limits), y.why,
                'waits for a worker, or for older steps that want the same limit')
            WHEN l.state = 'ready' THEN coalesce(y.why, 'waiting for capacity') END, l.reason, CASE WHEN r.state <> 'running' THEN 'the run is ' || r.state
            WHEN u.n IS NULL THEN coalesce(y.why, 'waiting for capacity') ELSE '' END),
        'attempt', coalesce(s.attempt, l.attempt, 0), 'attempt_id', coalesce(s.attempt_id, l.attempt_id),
        'worker', coalesce(s.worker, l.worker), 'exit_code', s.exit_code, 'image', s.image, 'cached_from', s.cached_from, 'needs', e.step->'needs',
        'outputs', coalesce(s.outputs, '{}'), 'metrics', coalesce(s.metrics, '{}'), 'log', s.log,
        'started', coalesce(s.started, l.started), 'finished', s.finished, 'attempts', coalesce(t.attempts, '[]')) ORDER BY e.n, e.iteration), '[]')
    FROM instances e
    LEFT JOIN unmet u ON u.n = e.n
    LEFT JOIN live l ON l.step = e.n AND l.iteration = e.iteration
    LEFT JOIN results s ON s.step = e.n AND s.iteration = e.iteration
    LEFT JOIN tries t ON t.step = e.n AND t.iteration = e.iteration
    LEFT JOIN places y ON y.pool = coalesce(e.step->>'pool', 'default') AND y.asks = e.step->'resources' AND y.runner = coalesce(e.step->>'executor', '')
    LEFT JOIN frames f ON f.iteration = e.iteration
    LEFT JOIN within w ON w.iteration = e.iteration)))::text
FROM r;

-- The same of the steps alone that ran in an image with a digest, and of each only that: a rerun asks for it first.
-- name: api_run_images
WITH r AS (SELECT * FROM run WHERE id = $1::uuid),
ran AS MATERIALIZED (SELECT s.step, s.iteration, s.image FROM step_result s, r WHERE s.run = r.id AND s.image LIKE '%@sha256:%'),
steps AS (
    SELECT step->>'name' AS name, (ord - 1)::int AS n
    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord) WHERE EXISTS (SELECT FROM ran))
SELECT (to_jsonb(r) || jsonb_build_object('steps', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('name', e.name || CASE WHEN x.iteration > 0 THEN '[' || x.iteration || ']' ELSE '' END,
        'step', e.name, 'index', x.step, 'iteration', x.iteration, 'image', x.image) ORDER BY x.step, x.iteration), '[]')
    FROM ran x JOIN steps e ON e.n = x.step)))::text
FROM r;

-- The names of a run's steps, by index.
-- name: api_live_steps
SELECT e.step->>'name'
FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)
WHERE r.id = $1::uuid ORDER BY e.ord;

-- Everything that a live stream shows of a run, and the batch that this is the state of: in each row
-- first the run, then a step (state NULL: an attempt that did not become the result), or NULLs; last the run below which the attempt's log lies.
-- name: api_live
WITH adopted AS MATERIALIZED (SELECT * FROM leat_adopted_from($1::uuid))
SELECT (SELECT tx_seq FROM leader), r.state, r.reason, r.name, r.pipeline,
       x.step, x.iteration, x.state, x.attempt, x.attempt_id, x.reason, x.chunks, coalesce(a.run, r.id)
FROM run r LEFT JOIN LATERAL (
    SELECT step, iteration, NULL AS state, attempt, attempt_id, '' AS reason,
           coalesce((log->>'chunks')::bigint, -1) AS chunks, 0 AS part, worker
    FROM attempt_done WHERE run = r.id
    UNION ALL
    SELECT step, iteration, state, attempt, attempt_id, reason,
           coalesce((log->>'chunks')::bigint, CASE WHEN state = 'succeeded' THEN 0 ELSE -1 END), 1, worker
    FROM step_result WHERE run = r.id
    UNION ALL
    SELECT step, iteration, state, attempt, attempt_id, reason, -1, 1, worker FROM step_live WHERE run = r.id) AS x ON true
LEFT JOIN adopted a ON x.worker IS NULL AND a.attempt_id = x.attempt_id
WHERE r.id = $1::uuid ORDER BY x.step, x.iteration, x.part, x.attempt;

-- name: api_run_brief
SELECT jsonb_build_object('id', id, 'name', name, 'state', state, 'pipeline', pipeline)::text FROM run WHERE id = $1::uuid;

-- $2: name of the step, with [ITERATION] that instance of it, else the newest; $3: attempt or 0 for the newest. Attempt, its id, is its log whole, how many chunks (-1 = unknown), the step's name,
-- the run below which the log lies (that of the attempt's worker, where the result was adopted), the run of whose result this one is (NULL = its own).
-- name: api_log_of
WITH found AS (
    SELECT m.*, e.step->>'name' AS name
    FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)
    CROSS JOIN LATERAL (
        SELECT iteration, attempt, attempt_id, true AS over, log, worker, cached_from FROM step_result WHERE run = r.id AND step_result.step = ord - 1
        UNION ALL
        SELECT iteration, attempt, attempt_id, true, log, worker, NULL FROM attempt_done WHERE run = r.id AND attempt_done.step = ord - 1
        UNION ALL
        SELECT iteration, attempt, attempt_id, false, NULL, worker, NULL FROM step_live WHERE run = r.id AND step_live.step = ord - 1
        UNION ALL
        SELECT -1, 0, NULL, r.finished IS NOT NULL, NULL, NULL, NULL) AS m
    WHERE r.id = $1::uuid AND $2::text IN (e.step->>'name', (e.step->>'name') || '[' || m.iteration || ']') AND ($3::int = 0 OR m.attempt = $3::int)
    ORDER BY m.iteration DESC, m.attempt DESC, m.over DESC LIMIT 1)
SELECT f.attempt, f.attempt_id::text, f.over, coalesce((f.log->>'chunks')::bigint, -1), f.name, coalesce(h.run, $1::uuid), f.cached_from::text
FROM found f LEFT JOIN LATERAL (
    SELECT a.run FROM leat_adopted_from($1::uuid) AS a WHERE f.worker IS NULL AND a.attempt_id = f.attempt_id LIMIT 1) AS h ON true;

-- $2 as above: how many attempts it has, the first and the last; 0 = none has begun. No row: no such step.
-- name: api_attempts_of
SELECT count(DISTINCT m.attempt), coalesce(min(m.attempt), 0), coalesce(max(m.attempt), 0)
FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)
LEFT JOIN LATERAL (
    SELECT iteration, attempt FROM step_result WHERE run = r.id AND step_result.step = ord - 1
    UNION ALL SELECT iteration, attempt FROM attempt_done WHERE run = r.id AND attempt_done.step = ord - 1
    UNION ALL SELECT iteration, attempt FROM step_live WHERE run = r.id AND step_live.step = ord - 1) AS m ON m.attempt > 0
WHERE r.id = $1::uuid AND $2::text IN (e.step->>'name', (e.step->>'name') || '[' || m.iteration || ']')
GROUP BY e.ord;

-- name: api_artifacts
SELECT coalesce(jsonb_agg(jsonb_build_object('step', v.ir->'steps'->s.step->>'name', 'output', o.key, 'sha256', o.value->>'artifact',
    'size', o.value->'size', 'folder', coalesce(o.value->'folder', 'false')) ORDER BY s.step, o.key), '[]')::text
FROM step_result s JOIN run r ON r.id = s.run
JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
CROSS JOIN LATERAL jsonb_each(coalesce(s.outputs, '{}')) AS o
WHERE s.run = $1::uuid AND jsonb_typeof(o.value) = 'object' AND o.value ? 'artifact';

-- name: api_artifact
SELECT o.value->>'artifact', coalesce((o.value->>'folder')::boolean, false)
FROM step_result s JOIN run r ON r.id = s.run
JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
CROSS JOIN LATERAL jsonb_each(coalesce(s.outputs, '{}')) AS o
WHERE s.run = $1::uuid AND v.ir->'steps'->s.step->>'name' = $2::text AND o.key = $3::text
  AND jsonb_typeof(o.value) = 'object' AND o.value ? 'artifact';

-- What its steps that pin objects gave: the step, its manifest's hash; one more than are looked for (api/pins.h).
-- name: api_pins
SELECT v.ir->'steps'->s.step->>'name', s.outputs->'manifest'->>'artifact'
FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
JOIN step_result s ON s.run = r.id
WHERE r.id = $1::uuid AND v.ir->'steps'->s.step->>'kind' = 'objects' AND s.outputs->'manifest' ? 'artifact'
ORDER BY s.step, s.iteration LIMIT 10001;

-- name: api_idempotency
INSERT INTO idempotency (key, run) VALUES ($1::text, $2::uuid)
ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING run;

-- name: api_command_done
SELECT status, detail FROM command_done WHERE id = $1::uuid;

-- $1 source ('' = any), $2 since, $3 received before (NULL = none), $4 how many.
-- name: api_events
SELECT coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'source', e.source, 'type', e.type, 'received', e.received,
    'subject', e.envelope->>'subject', 'runs', (
        SELECT coalesce(jsonb_agg(x->>'run'), '[]') FROM jsonb_array_elements(e.verdicts) AS x WHERE x ? 'run'))
    ORDER BY e.received DESC, e.id DESC), '[]')::text
FROM (SELECT * FROM event WHERE ($1::text = '' OR source = $1::text)
        AND ($2::timestamptz IS NULL OR received >= $2::timestamptz)
        AND ($3::timestamptz IS NULL OR received <= $3::timestamptz AND (received, id) < ($3::timestamptz, $4::uuid))
      ORDER BY received DESC, id DESC LIMIT $5::bigint) AS e;

-- name: api_event
SELECT jsonb_build_object('id', id, 'source', source, 'type', type, 'received', received, 'subject', envelope->>'subject',
    'data', envelope->'data', 'dataref', envelope->>'dataref', 'vars', coalesce(envelope->'vars', '{}'), 'verdicts', verdicts,
    'runs', (SELECT coalesce(jsonb_agg(x->>'run'), '[]') FROM jsonb_array_elements(verdicts) AS x WHERE x ? 'run'))::text
FROM event WHERE id = $1::uuid;

-- name: api_event_envelope
SELECT envelope::text FROM event WHERE id = $1::uuid;

-- used: the slots that attempts hold there.
-- name: api_workers
SELECT coalesce(jsonb_agg(jsonb_build_object('id', w.id, 'state', w.state, 'incarnation', w.incarnation,
    'slots', w.info->'slots', 'used', coalesce(u.used, 0),
    'executors', w.info->'executors', 'runtime', w.info->'runtime', 'pool', w.info->'pool', 'labels', w.info->'labels', 'heard', w.heard) ORDER BY w.id), '[]')::text
FROM worker w LEFT JOIN (SELECT worker, sum(slots) AS used FROM step_live WHERE worker IS NOT NULL GROUP BY worker) AS u ON u.worker = w.id
WHERE NOT w.info ? 'removed';

-- name: api_worker_brief
SELECT jsonb_build_object('id', id, 'state', state, 'used', (SELECT coalesce(sum(l.slots), 0) FROM step_live l WHERE l.worker = w.id))::text
FROM worker w WHERE id = $1::text;

-- The same of a worker that was removed; its credentials go with it.
-- name: api_worker_removed
WITH gone AS (UPDATE token SET revoked = now() WHERE kind = 'worker' AND worker = $1::text AND revoked IS NULL)
SELECT jsonb_build_object('id', id, 'state', 'removed')::text FROM worker WHERE id = $1::text;

-- $1 id, $2 kind, $3 hash, $4 pool, $5 seconds (0 = for good), $6 who holds it.
-- name: api_token_put
INSERT INTO token (id, kind, hash, pool, expires, holder)
SELECT $1::text, $2::text, $3::bytea, $4::text, CASE WHEN $5::bigint > 0 THEN now() + $5::bigint * interval '1 second' END, $6::text
RETURNING jsonb_build_object('id', id, 'kind', kind, 'name', holder, 'pool', pool, 'created', created, 'expires', expires)::text;

-- name: api_tokens
SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'state', CASE WHEN revoked IS NOT NULL THEN 'revoked'
    WHEN used IS NOT NULL THEN 'used' WHEN expires <= now() THEN 'expired' ELSE 'valid' END, 'worker', coalesce(worker, used_by),
    'name', holder, 'pool', pool, 'created', created, 'expires', expires) ORDER BY created DESC, id), '[]')::text
FROM (SELECT * FROM token ORDER BY created DESC, id LIMIT 1000) AS t;

-- name: api_token_revoke
UPDATE token SET revoked = coalesce(revoked, now()) WHERE id = $1::text RETURNING id;

-- $1 id, $2 the worker's name. Its hash, is it valid, who used it, is there such a worker.
-- name: api_join_token
SELECT hash, revoked IS NULL AND expires > now(), used_by,
       EXISTS (SELECT FROM worker w WHERE w.id = $2::text AND NOT w.info ? 'removed')
FROM token WHERE id = $1::text AND kind = 'join';

-- $1 join token, $2 worker, $3 and $4 id and hash of its credential. No row: somebody was quicker. A worker
-- that joins again has one credential, the new one.
-- name: api_join
WITH taken AS (
    UPDATE token SET used = now(), used_by = $2::text
    WHERE id = $1::text AND kind = 'join' AND used IS NULL AND revoked IS NULL AND expires > now() RETURNING pool),
old AS (UPDATE token SET revoked = now()
    WHERE kind = 'worker' AND worker = $2::text AND revoked IS NULL AND EXISTS (SELECT FROM taken)),
made AS (
    INSERT INTO token (id, kind, hash, worker, pool) SELECT $3::text, 'worker', $4::bytea, $2::text, pool FROM taken)
SELECT coalesce(pool, 'default') FROM taken;

-- name: api_sources
SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'provider', provider, 'secret', secret, 'config', config,
    'updated', updated) ORDER BY name), '[]')::text FROM source;

-- name: api_secrets
SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'updated', updated) ORDER BY name), '[]')::text FROM secret;

-- name: api_secret_put
INSERT INTO secret (name, sealed) VALUES ($1::text, $2::bytea)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, updated = now();

-- name: api_secret_remove
DELETE FROM secret WHERE name = $1::text RETURNING name;

-- Only names that the step of this attempt declares, only while it is live on this worker: no row when it
-- is not, at least one (of NULLs) when it is.
-- name: api_attempt_secrets
SELECT x.name, x.sealed
FROM step_live l JOIN run_live r ON r.id = l.run
JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version
LEFT JOIN secret x ON x.name = ANY ($3::text[]) AND (v.ir->'steps'->l.step->'secrets' ? x.name
    OR v.ir->'steps'->l.step->'container'->>'registry_secret' = x.name)
WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling');

-- $1 attempt, $2 worker, $3 bucket: the source that says how it is read, while the attempt lives there.
-- name: api_attempt_bucket
SELECT s.provider, s.config::text, x.name, x.sealed
FROM source s LEFT JOIN secret x ON x.name = s.config->>'credentials'
WHERE s.provider IN ('s3', 'minio') AND s.config->>'bucket' = $3::text AND s.config ? 'credentials'
  AND EXISTS (SELECT FROM step_live l
              WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling'))
ORDER BY s.name LIMIT 1;

-- $1 attempt, $2 worker, $3 step, $4 iteration, $5 output: of the run of an attempt that lives there. NULL = it is no list.
-- name: api_attempt_list
SELECT CASE WHEN jsonb_typeof(s.outputs->$5::text) = 'array' THEN (s.outputs->$5::text)::text END
FROM step_live l JOIN step_result s ON s.run = l.run AND s.step = $3::int AND s.iteration = $4::int
WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling');

-- The run of a live attempt and its event.
-- name: api_attempt_run
SELECT r.id, r.event FROM step_live l JOIN run_live r ON r.id = l.run
WHERE l.attempt_id = $1::uuid AND l.state IN ('placed', 'running', 'cancelling');

-- name: api_run_cause
INSERT INTO run_cause (run, attempt, by_run) VALUES ($1::uuid, $2::uuid, $3::uuid) ON CONFLICT (run) DO NOTHING;

-- $1 id, $2 kind. Its hash, is it valid, whose it is.
-- name: api_token
SELECT hash, revoked IS NULL AND used IS NULL AND (expires IS NULL OR expires > now()) AND NOT EXISTS (
    SELECT FROM worker w WHERE w.id = token.worker AND w.info ? 'removed'), coalesce(worker, ''), coalesce(holder, '')
FROM token WHERE id = $1::text AND kind = $2::text;
