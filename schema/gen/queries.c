/* Made by schema/gen.py from schema/queries; do not edit. */

#include "schema/gen/queries.h"

const struct query QUERIES[] = {
    {"api_status",
    "SELECT jsonb_build_object(\n"
    "    'leader', jsonb_build_object('holder', l.holder, 'epoch', l.epoch, 'beating', EXISTS (\n"
    "        SELECT FROM pg_stat_activity a WHERE a.pid = l.backend_pid AND a.backend_start = l.backend_start)),\n"
    "    'bus', jsonb_build_object('backend', $2::text, 'lag', CASE WHEN $2::text = 'embedded' THEN (\n"
    "        SELECT coalesce(sum(p.next - coalesce(o.next, 0)), 0)::bigint\n"
    "        FROM bus_partition p JOIN bus_topic t ON t.id = p.topic CROSS JOIN bus b\n"
    "        LEFT JOIN read_offset o ON o.bus = b.id AND o.topic = t.name AND o.partition = p.partition\n"
    "        WHERE t.name IN ('leat.commands', 'leat.reports', 'leat.events'))\n"
    "    ELSE (\n"
    "        SELECT sum(greatest(e.next - coalesce(o.next, 0), 0))::bigint\n"
    "        FROM unnest($4::text[], $5::integer[], $6::bigint[]) AS e (topic, partition, next)\n"
    "        LEFT JOIN read_offset o ON o.bus = $3::uuid AND o.topic = e.topic AND o.partition = e.partition) END),\n"
    "    'database', current_setting('server_version'),\n"
    "    'class', CASE WHEN current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'\n"
    "        AND ($2::text = 'embedded' OR $7::boolean) THEN 'survives process crashes and power loss' ELSE 'survives process crashes' END,\n"
    "    'workers', (SELECT jsonb_build_object('active', count(*) FILTER (WHERE state = 'active'),\n"
    "        'unreachable', count(*) FILTER (WHERE state = 'unreachable'), 'known', count(*), 'most', l.most_workers) FROM worker),\n"
    "    'pipelines', (SELECT jsonb_build_object('count', count(*), 'most', l.most_pipelines) FROM pipeline WHERE NOT deleted),\n"
    "    'runs', (SELECT jsonb_build_object('live', count(*), 'queued', count(*) FILTER (WHERE state = 'queued'), 'most', l.most_runs) FROM run_live),\n"
    "    'version', $1::text)::text\n"
    "FROM leader l",
    7},
    {"api_catalog_raise",
    "UPDATE catalog SET gen = gen + 1",
    0},
    {"api_catalog_notify",
    "NOTIFY leat_catalog;\n"
    "\n"
    "-- $1 name, $2 hash, $3 file, $4 IR. A version that is there stays as it was first applied.",
    0},
    {"api_version_put",
    "INSERT INTO pipeline_version (pipeline, hash, number, file, ir)\n"
    "SELECT $1::text, $2::text, 1 + (SELECT count(*) FROM pipeline_version WHERE pipeline = $1::text), $3::text, $4::jsonb\n"
    "ON CONFLICT (pipeline, hash) DO NOTHING",
    4},
    {"api_pipeline_put",
    "WITH old AS (SELECT version, deleted FROM pipeline WHERE name = $1::text), put AS (\n"
    "    INSERT INTO pipeline (name, version, gen) SELECT $1::text, $2::text, gen FROM catalog\n"
    "    ON CONFLICT (name) DO UPDATE SET version = excluded.version, deleted = false, gen = excluded.gen\n"
    "    WHERE pipeline.version <> excluded.version OR pipeline.deleted)\n"
    "SELECT CASE WHEN NOT EXISTS (SELECT FROM old WHERE NOT deleted) THEN leat_room('pipelines', (SELECT count(*) FROM pipeline WHERE NOT deleted))\n"
    "    WHEN (SELECT version FROM old) = $2::text THEN 'unchanged'\n"
    "    WHEN v.created < now() THEN 'reverted' ELSE 'updated' END, v.number\n"
    "FROM pipeline_version v WHERE v.pipeline = $1::text AND v.hash = $2::text",
    2},
    {"api_source_put",
    "WITH old AS (SELECT * FROM source WHERE name = $1::text), put AS (\n"
    "    INSERT INTO source (name, provider, secret, config, gen)\n"
    "    SELECT $1::text, $2::text, $3::text, $4::jsonb, gen FROM catalog\n"
    "    ON CONFLICT (name) DO UPDATE SET provider = excluded.provider, secret = excluded.secret,\n"
    "        config = excluded.config, gen = excluded.gen, updated = now())\n"
    "SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('sources', (SELECT count(*) FROM source)) WHEN EXISTS (\n"
    "    SELECT FROM old WHERE provider = $2::text AND secret IS NOT DISTINCT FROM $3::text AND config = $4::jsonb)\n"
    "    THEN 'unchanged' ELSE 'updated' END;\n"
    "\n"
    "-- $1 name, $2 a version by hash prefix or number, '' = the current one. No row: no such pipeline; NULL: no such version.",
    4},
    {"api_version_ir",
    "SELECT v.ir::text FROM pipeline p LEFT JOIN pipeline_version v ON v.pipeline = p.name AND (\n"
    "    $2::text = '' AND v.hash = p.version OR v.number::text = $2::text OR length($2::text) >= 4 AND starts_with(v.hash, $2::text))\n"
    "WHERE p.name = $1::text AND NOT p.deleted ORDER BY v.number DESC LIMIT 1",
    2},
    {"api_limit_put",
    "WITH old AS (SELECT * FROM named_limit WHERE name = $1::text), put AS (\n"
    "    INSERT INTO named_limit (name, n, description, gen) SELECT $1::text, $2::bigint, $3::text, gen FROM catalog\n"
    "    ON CONFLICT (name) DO UPDATE SET n = excluded.n, description = excluded.description, gen = excluded.gen, updated = now())\n"
    "SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('limits', (SELECT count(*) FROM named_limit)) WHEN EXISTS (\n"
    "    SELECT FROM old WHERE n = $2::bigint AND description IS NOT DISTINCT FROM $3::text)\n"
    "    THEN 'unchanged' ELSE 'updated' END",
    3},
    {"api_limit_compare",
    "SELECT CASE WHEN n = $2::bigint AND description IS NOT DISTINCT FROM $3::text THEN 'unchanged' ELSE 'updated' END FROM named_limit WHERE name = $1::text",
    3},
    {"api_limit_names",
    "SELECT name FROM named_limit",
    0},
    {"api_limits",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('name', k.name, 'limit', k.n, 'used', coalesce(u.used, 0), 'waiting', coalesce(w.waiting, 0),\n"
    "    'description', k.description, 'updated', k.updated) ORDER BY k.name), '[]')::text\n"
    "FROM named_limit k\n"
    "LEFT JOIN (SELECT name, sum(n) AS used FROM limit_use GROUP BY name) AS u ON u.name = k.name\n"
    "LEFT JOIN (SELECT x.key AS name, count(*) AS waiting FROM step_live l CROSS JOIN LATERAL jsonb_object_keys(l.limits) AS x (key)\n"
    "    WHERE l.limits IS NOT NULL AND l.state = 'waiting' GROUP BY x.key) AS w ON w.name = k.name;\n"
    "\n"
    "-- The same of one, with the first 100 that hold it, oldest first.",
    0},
    {"api_limit",
    "SELECT jsonb_build_object('name', k.name, 'limit', k.n, 'description', k.description, 'updated', k.updated,\n"
    "    'used', (SELECT coalesce(sum(u.n), 0) FROM limit_use u WHERE u.name = k.name),\n"
    "    'waiting', (SELECT count(*) FROM step_live l WHERE l.limits ? k.name AND l.state = 'waiting'),\n"
    "    'holders', (SELECT coalesce(jsonb_agg(jsonb_build_object('run', h.run, 'name', r.name, 'pipeline', r.pipeline,\n"
    "            'step', v.ir->'steps'->h.step->>'name', 'iteration', h.iteration, 'n', h.n, 'state', h.state, 'since', h.since)\n"
    "            ORDER BY h.since, h.run, h.step, h.iteration), '[]')\n"
    "        FROM (SELECT * FROM limit_use u WHERE u.name = k.name ORDER BY u.since, u.run, u.step, u.iteration LIMIT 100) AS h\n"
    "        JOIN run_live r ON r.id = h.run LEFT JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version))::text\n"
    "FROM named_limit k WHERE k.name = $1::text;\n"
    "\n"
    "-- Not while a current version or a live run names it. Was it removed; else who names it.",
    1},
    {"api_limit_remove",
    "WITH k AS (SELECT name FROM named_limit WHERE name = $1::text),\n"
    "named AS (\n"
    "    SELECT v.pipeline FROM pipeline_version v\n"
    "    WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted UNION SELECT r.pipeline, r.version FROM run_live r)\n"
    "      AND EXISTS (SELECT FROM jsonb_array_elements(v.ir->'steps') AS s WHERE s->'limits' ? $1::text)\n"
    "    ORDER BY v.pipeline LIMIT 1),\n"
    "raised AS (UPDATE catalog SET gen = gen + 1 WHERE EXISTS (SELECT FROM k) AND NOT EXISTS (SELECT FROM named)),\n"
    "gone AS (DELETE FROM named_limit l USING k WHERE l.name = k.name AND NOT EXISTS (SELECT FROM named))\n"
    "SELECT NOT EXISTS (SELECT FROM named), coalesce((SELECT pipeline FROM named), '') FROM k",
    1},
    {"api_pool_put",
    "WITH old AS (SELECT * FROM pool WHERE name = $1::text), put AS (\n"
    "    INSERT INTO pool (name, slots, path, description, gen) SELECT $1::text, $2::bigint, $3::text, $4::text, gen FROM catalog\n"
    "    ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, path = excluded.path, description = excluded.description, gen = excluded.gen, updated = now())\n"
    "SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN leat_room('pools', (SELECT count(*) FROM pool)) WHEN EXISTS (\n"
    "    SELECT FROM old WHERE slots IS NOT DISTINCT FROM $2::bigint AND path IS NOT DISTINCT FROM $3::text AND description IS NOT DISTINCT FROM $4::text)\n"
    "    THEN 'unchanged' ELSE 'updated' END",
    4},
    {"api_pool_compare",
    "SELECT CASE WHEN slots IS NOT DISTINCT FROM $2::bigint AND path IS NOT DISTINCT FROM $3::text AND description IS NOT DISTINCT FROM $4::text\n"
    "    THEN 'unchanged' ELSE 'updated' END\n"
    "FROM pool WHERE name = $1::text;\n"
    "\n"
    "-- Of these, those that nobody has heard of.",
    4},
    {"api_pools_unknown",
    "SELECT w.name FROM unnest($1::text[]) AS w (name) WHERE NOT EXISTS (SELECT FROM pool_known k WHERE k.name = w.name) ORDER BY w.name",
    1},
    {"api_pools",
    "SELECT coalesce(jsonb_agg(to_jsonb(k) ORDER BY k.name), '[]')::text FROM pool_known k;\n"
    "\n"
    "-- The same of one, with the first 100 attempts that use its slots, oldest first.",
    0},
    {"api_pool",
    "SELECT (to_jsonb(k) || jsonb_build_object('holders', (\n"
    "    SELECT coalesce(jsonb_agg(jsonb_build_object('run', h.run, 'name', r.name, 'pipeline', r.pipeline, 'worker', h.worker,\n"
    "            'step', v.ir->'steps'->h.step->>'name', 'iteration', h.iteration, 'n', h.slots, 'state', h.state, 'since', h.since)\n"
    "            ORDER BY h.since, h.run, h.step, h.iteration), '[]')\n"
    "        FROM (SELECT * FROM step_live u WHERE u.pool = k.name ORDER BY u.since, u.run, u.step, u.iteration LIMIT 100) AS h\n"
    "        JOIN run_live r ON r.id = h.run LEFT JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version)))::text\n"
    "FROM pool_known k WHERE k.name = $1::text;\n"
    "\n"
    "-- What its file says goes, not while a current version or a live run names it. Was it removed; else who names it.",
    1},
    {"api_pool_remove",
    "WITH k AS (SELECT name FROM pool WHERE name = $1::text),\n"
    "named AS (\n"
    "    SELECT v.pipeline FROM pipeline_version v\n"
    "    WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted UNION SELECT r.pipeline, r.version FROM run_live r)\n"
    "      AND EXISTS (SELECT FROM jsonb_array_elements(v.ir->'steps') AS s WHERE s->>'pool' = $1::text)\n"
    "    ORDER BY v.pipeline LIMIT 1),\n"
    "raised AS (UPDATE catalog SET gen = gen + 1 WHERE EXISTS (SELECT FROM k) AND NOT EXISTS (SELECT FROM named)),\n"
    "gone AS (DELETE FROM pool p USING k WHERE p.name = k.name AND NOT EXISTS (SELECT FROM named))\n"
    "SELECT NOT EXISTS (SELECT FROM named), coalesce((SELECT pipeline FROM named), '') FROM k;\n"
    "\n"
    "-- What api_version_put and api_pipeline_put would say.",
    1},
    {"api_pipeline_compare",
    "WITH old AS (SELECT version FROM pipeline WHERE name = $1::text AND NOT deleted),\n"
    "versions AS (SELECT hash, number FROM pipeline_version WHERE pipeline = $1::text),\n"
    "same AS (SELECT number FROM versions WHERE hash = $2::text)\n"
    "SELECT CASE WHEN NOT EXISTS (SELECT FROM old) THEN 'created' WHEN (SELECT version FROM old) = $2::text THEN 'unchanged'\n"
    "    WHEN EXISTS (SELECT FROM same) THEN 'reverted' ELSE 'updated' END, coalesce((SELECT number FROM same), 1 + (SELECT count(*) FROM versions));\n"
    "\n"
    "-- $1 kinds, $2 names of all that an apply would put. Is refused as the apply would be where there is no room for what is new of it.",
    2},
    {"api_apply_room",
    "WITH put AS (SELECT DISTINCT kind, name FROM unnest($1::text[], $2::text[]) AS x (kind, name)),\n"
    "there AS (\n"
    "    SELECT 'pipeline' AS kind, name FROM pipeline WHERE NOT deleted UNION ALL SELECT 'source', name FROM source\n"
    "    UNION ALL SELECT 'limit', name FROM named_limit UNION ALL SELECT 'pool', name FROM pool),\n"
    "counted AS (\n"
    "    SELECT k.kind, (SELECT count(*) FROM there t WHERE t.kind = k.kind) AS present,\n"
    "           (SELECT count(*) FROM put p WHERE p.kind = k.kind AND NOT EXISTS (SELECT FROM there t WHERE t.kind = p.kind AND t.name = p.name)) AS fresh\n"
    "    FROM (SELECT DISTINCT kind FROM put) AS k)\n"
    "SELECT leat_room(c.kind || 's', least(c.present + c.fresh - 1, greatest(c.present, (SELECT coalesce(most_pipelines, 10000) FROM leader))))\n"
    "FROM counted c WHERE c.fresh > 0 ORDER BY c.kind",
    2},
    {"api_source_compare",
    "SELECT CASE WHEN provider = $2::text AND secret IS NOT DISTINCT FROM $3::text AND config = $4::jsonb THEN 'unchanged' ELSE 'updated' END\n"
    "FROM source WHERE name = $1::text",
    4},
    {"api_pipelines",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'version', p.version, 'number', v.number, 'paused', p.paused,\n"
    "    'description', v.ir->>'description', 'applied', v.created, 'runs', p.next_number - 1) ORDER BY p.name), '[]')::text\n"
    "FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version WHERE NOT p.deleted;\n"
    "\n"
    "-- $2: a version by hash prefix or number, '' = the current one.",
    0},
    {"api_pipeline",
    "SELECT jsonb_build_object('name', p.name, 'version', v.hash, 'number', v.number, 'current', v.hash = p.version,\n"
    "    'paused', p.paused, 'file', v.file, 'ir', v.ir, 'triggers', v.ir->'triggers', 'versions', (\n"
    "        SELECT jsonb_agg(jsonb_build_object('version', o.hash, 'number', o.number, 'applied', o.created) ORDER BY o.number DESC)\n"
    "        FROM pipeline_version o WHERE o.pipeline = p.name))::text\n"
    "FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name\n"
    "WHERE p.name = $1::text AND NOT p.deleted AND ($2::text = '' AND v.hash = p.version OR v.number::text = $2::text\n"
    "    OR length($2::text) >= 4 AND starts_with(v.hash, $2::text))\n"
    "ORDER BY v.number DESC LIMIT 1;\n"
    "\n"
    "-- $1 pipeline, $2 paused, $3 deleted. The leader reads the catalog's gen in every batch.",
    2},
    {"api_pipeline_move",
    "WITH raised AS (UPDATE catalog SET gen = gen + 1 RETURNING gen),\n"
    "moved AS (UPDATE pipeline p SET paused = $2::boolean, deleted = $3::boolean, gen = raised.gen\n"
    "    FROM raised WHERE p.name = $1::text AND NOT p.deleted RETURNING p.name, p.paused, p.deleted)\n"
    "SELECT jsonb_build_object('name', name, 'paused', paused, 'deleted', deleted)::text FROM moved, pg_notify('leat_catalog', '');\n"
    "\n"
    "-- $1 pipeline, $2 trigger (of the current version, or one that is paused), $3 paused.",
    3},
    {"api_trigger_move",
    "WITH raised AS (UPDATE catalog SET gen = gen + 1 RETURNING gen),\n"
    "moved AS (UPDATE pipeline p SET gen = raised.gen, paused_triggers = array_remove(p.paused_triggers, $2::text)\n"
    "        || CASE WHEN $3::boolean THEN ARRAY[$2::text] ELSE '{}' END\n"
    "    FROM raised WHERE p.name = $1::text AND NOT p.deleted AND ($2::text = ANY (p.paused_triggers) OR EXISTS (\n"
    "        SELECT FROM pipeline_version v, jsonb_array_elements(v.ir->'triggers') AS t\n"
    "        WHERE v.pipeline = p.name AND v.hash = p.version AND t->>'name' = $2::text))\n"
    "    RETURNING p.name)\n"
    "SELECT jsonb_build_object('pipeline', name, 'name', $2::text, 'paused', $3::boolean)::text FROM moved, pg_notify('leat_catalog', '');\n"
    "\n"
    "-- The last verdict is looked for among the newest 1,000 events.",
    3},
    {"api_triggers",
    "WITH newest AS (SELECT id, received, verdicts FROM event ORDER BY received DESC LIMIT 1000),\n"
    "last AS (\n"
    "    SELECT DISTINCT ON (1, 2) x->>'pipeline' AS pipeline, x->>'trigger' AS trigger, jsonb_strip_nulls(jsonb_build_object(\n"
    "        'verdict', x->>'verdict', 'event', e.id, 'received', e.received, 'run', x->>'run', 'reason', x->>'reason')) AS verdict\n"
    "    FROM newest e CROSS JOIN LATERAL jsonb_array_elements(e.verdicts) AS x ORDER BY 1, 2, e.received DESC)\n"
    "SELECT coalesce(jsonb_agg((t - 'params' - 'vars' - 'run_name' - 'experiment') || jsonb_build_object('pipeline', p.name,\n"
    "    'name', t->>'name', 'paused', p.paused OR t->>'name' = ANY (p.paused_triggers), 'last', l.verdict, 'last_slot', c.last,\n"
    "    'on', concat_ws(' ', t->>'schedule', t->>'timezone', t->>'bucket', t->>'source', t->>'branch', t->>'tag', t->>'type',\n"
    "        (t->>'prefix') || '*', '*' || (t->>'suffix')))\n"
    "    ORDER BY p.name, n), '[]')::text\n"
    "FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version\n"
    "CROSS JOIN LATERAL jsonb_array_elements(v.ir->'triggers') WITH ORDINALITY AS e (t, n)\n"
    "LEFT JOIN last l ON l.pipeline = p.name AND l.trigger = t->>'name'\n"
    "LEFT JOIN cron_slot c ON c.pipeline = p.name AND c.trigger = t->>'name'\n"
    "WHERE NOT p.deleted",
    0},
    {"api_experiments",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('name', experiment, 'runs', runs, 'succeeded', succeeded, 'failed', failed,\n"
    "    'last', last, 'pipelines', pipelines) ORDER BY last DESC), '[]')::text\n"
    "FROM (SELECT experiment, count(*) AS runs, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,\n"
    "        count(*) FILTER (WHERE state = 'failed') AS failed, max(created) AS last, jsonb_agg(DISTINCT pipeline) AS pipelines\n"
    "    FROM run WHERE experiment <> '' GROUP BY experiment ORDER BY max(created) DESC LIMIT 1000) AS x;\n"
    "\n"
    "-- $1 pipeline, $2 state, $3 experiment ('' = any), $4 since, $5 below this id (NULL = none), $6 how many.",
    0},
    {"api_runs",
    "SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id DESC), '[]')::text FROM (\n"
    "    SELECT * FROM run\n"
    "    WHERE ($1::text = '' OR pipeline = $1::text) AND ($2::text = '' OR state = $2::text)\n"
    "      AND ($3::text = '' OR experiment = $3::text)\n"
    "      AND ($4::timestamptz IS NULL OR id >= uuid_at($4::timestamptz)) AND ($5::uuid IS NULL OR id < $5::uuid)\n"
    "    ORDER BY id DESC LIMIT $6::bigint) AS r",
    6},
    {"api_run_between",
    "SELECT id FROM run WHERE id BETWEEN $1::uuid AND $2::uuid ORDER BY id LIMIT 2",
    2},
    {"api_run_latest",
    "SELECT id FROM run WHERE $1::text = '' OR pipeline = $1::text ORDER BY id DESC LIMIT 1;\n"
    "\n"
    "-- All of a run, whatever its size: every table is read once and joined by hash (pg_options.whole_reads).",
    1},
    {"api_run",
    "WITH RECURSIVE r AS (SELECT * FROM run WHERE id = $1::uuid),\n"
    "steps AS (\n"
    "    SELECT step, (ord - 1)::int AS n, step->>'name' AS name\n"
    "    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)),\n"
    "results AS (SELECT s.* FROM step_result s, r WHERE s.run = r.id),\n"
    "live AS (SELECT l.* FROM step_live l, r WHERE l.run = r.id),\n"
    "instances AS (                              -- of a step inside a group only those that have begun\n"
    "    SELECT e.*, 0 AS iteration FROM steps e WHERE NOT e.step ? 'in'\n"
    "    UNION ALL SELECT e.*, x.iteration FROM steps e JOIN (\n"
    "        SELECT step, iteration FROM results UNION SELECT step, iteration FROM live\n"
    "    ) x ON x.step = e.n WHERE e.step ? 'in'),\n"
    "groups AS (\n"
    "    SELECT g.first, g.count, g.iteration AS around, e.step ? 'loop' AS rounds, coalesce(g.items, e.step->'for_each'->'items') AS items\n"
    "    FROM r JOIN group_start g ON g.run = r.id JOIN steps e ON e.n = g.step),\n"
    "frames AS (                                 -- their items; those of loops and plain groups have none\n"
    "    SELECT g.first + (i.ord - 1) AS iteration, g.around, i.ord - 1 AS ordinal, i.item, format('%s: %s', i.ord - 1, left(i.item #>> '{}', 40)) AS label\n"
    "    FROM groups g CROSS JOIN LATERAL jsonb_array_elements(g.items) WITH ORDINALITY AS i (item, ord)\n"
    "    UNION ALL SELECT g.first + k, g.around, k, NULL, CASE WHEN g.rounds THEN format('round %s', k) END\n"
    "    FROM groups g CROSS JOIN LATERAL generate_series(0, g.count - 1) AS k WHERE g.items IS NULL),\n"
    "within AS (                                 -- of which item or round, from outside inwards\n"
    "    SELECT iteration, label AS place FROM frames WHERE around = 0\n"
    "    UNION ALL SELECT f.iteration, nullif(concat_ws(' / ', w.place, f.label), '') FROM within w JOIN frames f ON f.around = w.iteration),\n"
    "queued AS (                                 -- why it waits, by what goes on in its concurrency group now\n"
    "    SELECT format('waits for its concurrency group: %s of %s runs go on, %s came before it', count(*) FILTER (WHERE o.state IN ('running', 'cancelling')),\n"
    "        coalesce(max(v.ir->'concurrency'->>'limit'), '1'), count(*) FILTER (WHERE o.state = 'queued' AND (o.created, o.id) < (m.created, m.id))) AS reason\n"
    "    FROM run_live m JOIN r ON r.id = m.id JOIN run_live o ON o.pipeline = m.pipeline AND o.concurrency_key = m.concurrency_key\n"
    "    JOIN pipeline p ON p.name = m.pipeline JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version\n"
    "    WHERE m.state = 'queued' HAVING count(*) > 0),\n"
    "unmet AS (\n"
    "    SELECT DISTINCT e.n FROM steps e CROSS JOIN LATERAL jsonb_array_elements_text(e.step->'needs') AS need\n"
    "    JOIN steps o ON o.name = need LEFT JOIN results x ON x.step = o.n AND x.iteration = 0 AND x.state = 'succeeded'\n"
    "    WHERE x.run IS NULL\n"
    "    UNION SELECT e.n FROM steps e WHERE e.step ? 'finally' AND NOT e.step ? 'in' AND EXISTS (\n"
    "        SELECT 1 FROM steps o LEFT JOIN results x ON x.step = o.n AND x.iteration = 0\n"
    "        WHERE x.run IS NULL AND NOT o.step ? 'in' AND NOT o.step ? 'finally')),\n"
    "places AS MATERIALIZED (                    -- why a step that is ready waits, by what it wants of which pool and of a worker\n"
    "    SELECT d.pool, d.asks, d.runner, coalesce(leat_pool_wait(d.pool, (d.asks->>'slots')::int), leat_fit_wait(d.pool, d.asks, d.runner)) AS why\n"
    "    FROM (SELECT DISTINCT coalesce(e.step->>'pool', 'default') AS pool, e.step->'resources' AS asks, coalesce(e.step->>'executor', '') AS runner\n"
    "          FROM steps e JOIN r ON r.state = 'running' WHERE e.step ? 'resources') AS d),\n"
    "gave AS (                                   -- the run's own outputs, as far as their steps have them\n"
    "    SELECT jsonb_object_agg(o.key, x.outputs->(o.value->>'output')) AS outputs\n"
    "    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version CROSS JOIN LATERAL jsonb_each(v.ir->'outputs') AS o\n"
    "    JOIN steps e ON e.name = o.value->>'step' JOIN results x ON x.step = e.n AND x.iteration = 0\n"
    "    WHERE x.outputs ? (o.value->>'output')),\n"
    "tries AS (\n"
    "    SELECT step, iteration, jsonb_agg(to_jsonb(a) - 'run' - 'step' ORDER BY attempt) AS attempts\n"
    "    FROM r JOIN attempt_done a ON a.run = r.id GROUP BY step, iteration)\n"
    "SELECT (to_jsonb(r) || coalesce((SELECT jsonb_build_object('reason', q.reason) FROM queued q), '{}') || jsonb_build_object('outputs', (\n"
    "    SELECT outputs FROM gave), 'cause', (\n"
    "    SELECT jsonb_build_object('attempt', c.attempt, 'run', c.by_run) FROM run_cause c WHERE c.run = r.id), 'started_by', (\n"
    "    SELECT jsonb_build_object('run', t.parent, 'step', pv.ir->'steps'->t.step->>'name', 'iteration', t.iteration, 'attempt', t.attempt, 'depth', t.depth)\n"
    "    FROM run_start t LEFT JOIN run p ON p.id = t.parent LEFT JOIN pipeline_version pv ON pv.pipeline = p.pipeline AND pv.hash = p.version\n"
    "    WHERE t.child = r.id), 'steps', (\n"
    "    SELECT coalesce(jsonb_agg(jsonb_build_object(\n"
    "        'name', e.name || CASE WHEN e.iteration > 0 THEN '[' || e.iteration || ']' ELSE '' END, 'step', e.name, 'index', e.n, 'kind', e.step->>'kind', 'iteration', e.iteration, 'ordinal', f.ordinal,\n"
    "        'item', f.item, 'within', w.place,\n"
    "        'state', coalesce(s.state, l.state, CASE WHEN r.state = 'running' AND u.n IS NULL THEN 'ready' ELSE 'pending' END),\n"
    "        'reason', coalesce(s.reason, CASE WHEN l.state = 'waiting' AND l.limits IS NOT NULL THEN coalesce(leat_limit_wait(l.limits), y.why,\n"
    "                'waits for a worker, or for older steps that want the same limit')\n"
    "            WHEN l.state = 'ready' THEN coalesce(y.why, 'waiting for capacity') END, l.reason, CASE WHEN r.state <> 'running' THEN 'the run is ' || r.state\n"
    "            WHEN u.n IS NULL THEN coalesce(y.why, 'waiting for capacity') ELSE '' END),\n"
    "        'attempt', coalesce(s.attempt, l.attempt, 0), 'attempt_id', coalesce(s.attempt_id, l.attempt_id),\n"
    "        'worker', coalesce(s.worker, l.worker), 'exit_code', s.exit_code, 'image', s.image, 'cached_from', s.cached_from, 'needs', e.step->'needs',\n"
    "        'outputs', coalesce(s.outputs, '{}'), 'metrics', coalesce(s.metrics, '{}'), 'log', s.log,\n"
    "        'started', coalesce(s.started, l.started), 'finished', s.finished, 'attempts', coalesce(t.attempts, '[]')) ORDER BY e.n, e.iteration), '[]')\n"
    "    FROM instances e\n"
    "    LEFT JOIN unmet u ON u.n = e.n\n"
    "    LEFT JOIN live l ON l.step = e.n AND l.iteration = e.iteration\n"
    "    LEFT JOIN results s ON s.step = e.n AND s.iteration = e.iteration\n"
    "    LEFT JOIN tries t ON t.step = e.n AND t.iteration = e.iteration\n"
    "    LEFT JOIN places y ON y.pool = coalesce(e.step->>'pool', 'default') AND y.asks = e.step->'resources' AND y.runner = coalesce(e.step->>'executor', '')\n"
    "    LEFT JOIN frames f ON f.iteration = e.iteration\n"
    "    LEFT JOIN within w ON w.iteration = e.iteration)))::text\n"
    "FROM r;\n"
    "\n"
    "-- The same of the steps alone that ran in an image with a digest, and of each only that: a rerun asks for it first.",
    1},
    {"api_run_images",
    "WITH r AS (SELECT * FROM run WHERE id = $1::uuid),\n"
    "ran AS MATERIALIZED (SELECT s.step, s.iteration, s.image FROM step_result s, r WHERE s.run = r.id AND s.image LIKE '%@sha256:%'),\n"
    "steps AS (\n"
    "    SELECT step->>'name' AS name, (ord - 1)::int AS n\n"
    "    FROM r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord) WHERE EXISTS (SELECT FROM ran))\n"
    "SELECT (to_jsonb(r) || jsonb_build_object('steps', (\n"
    "    SELECT coalesce(jsonb_agg(jsonb_build_object('name', e.name || CASE WHEN x.iteration > 0 THEN '[' || x.iteration || ']' ELSE '' END,\n"
    "        'step', e.name, 'index', x.step, 'iteration', x.iteration, 'image', x.image) ORDER BY x.step, x.iteration), '[]')\n"
    "    FROM ran x JOIN steps e ON e.n = x.step)))::text\n"
    "FROM r;\n"
    "\n"
    "-- The names of a run's steps, by index.",
    1},
    {"api_live_steps",
    "SELECT e.step->>'name'\n"
    "FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)\n"
    "WHERE r.id = $1::uuid ORDER BY e.ord;\n"
    "\n"
    "-- Everything that a live stream shows of a run, and the batch that this is the state of: in each row\n"
    "-- first the run, then a step (state NULL: an attempt that did not become the result), or NULLs; last the run below which the attempt's log lies.",
    1},
    {"api_live",
    "WITH adopted AS MATERIALIZED (SELECT * FROM leat_adopted_from($1::uuid))\n"
    "SELECT (SELECT tx_seq FROM leader), r.state, r.reason, r.name, r.pipeline,\n"
    "       x.step, x.iteration, x.state, x.attempt, x.attempt_id, x.reason, x.chunks, coalesce(a.run, r.id)\n"
    "FROM run r LEFT JOIN LATERAL (\n"
    "    SELECT step, iteration, NULL AS state, attempt, attempt_id, '' AS reason,\n"
    "           coalesce((log->>'chunks')::bigint, -1) AS chunks, 0 AS part, worker\n"
    "    FROM attempt_done WHERE run = r.id\n"
    "    UNION ALL\n"
    "    SELECT step, iteration, state, attempt, attempt_id, reason,\n"
    "           coalesce((log->>'chunks')::bigint, CASE WHEN state = 'succeeded' THEN 0 ELSE -1 END), 1, worker\n"
    "    FROM step_result WHERE run = r.id\n"
    "    UNION ALL\n"
    "    SELECT step, iteration, state, attempt, attempt_id, reason, -1, 1, worker FROM step_live WHERE run = r.id) AS x ON true\n"
    "LEFT JOIN adopted a ON x.worker IS NULL AND a.attempt_id = x.attempt_id\n"
    "WHERE r.id = $1::uuid ORDER BY x.step, x.iteration, x.part, x.attempt",
    1},
    {"api_run_brief",
    "SELECT jsonb_build_object('id', id, 'name', name, 'state', state, 'pipeline', pipeline)::text FROM run WHERE id = $1::uuid;\n"
    "\n"
    "-- $2: name of the step, with [ITERATION] that instance of it, else the newest; $3: attempt or 0 for the newest. Attempt, its id, is its log whole, how many chunks (-1 = unknown), the step's name,\n"
    "-- the run below which the log lies (that of the attempt's worker, where the result was adopted), the run of whose result this one is (NULL = its own).",
    1},
    {"api_log_of",
    "WITH found AS (\n"
    "    SELECT m.*, e.step->>'name' AS name\n"
    "    FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "    CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)\n"
    "    CROSS JOIN LATERAL (\n"
    "        SELECT iteration, attempt, attempt_id, true AS over, log, worker, cached_from FROM step_result WHERE run = r.id AND step_result.step = ord - 1\n"
    "        UNION ALL\n"
    "        SELECT iteration, attempt, attempt_id, true, log, worker, NULL FROM attempt_done WHERE run = r.id AND attempt_done.step = ord - 1\n"
    "        UNION ALL\n"
    "        SELECT iteration, attempt, attempt_id, false, NULL, worker, NULL FROM step_live WHERE run = r.id AND step_live.step = ord - 1\n"
    "        UNION ALL\n"
    "        SELECT -1, 0, NULL, r.finished IS NOT NULL, NULL, NULL, NULL) AS m\n"
    "    WHERE r.id = $1::uuid AND $2::text IN (e.step->>'name', (e.step->>'name') || '[' || m.iteration || ']') AND ($3::int = 0 OR m.attempt = $3::int)\n"
    "    ORDER BY m.iteration DESC, m.attempt DESC, m.over DESC LIMIT 1)\n"
    "SELECT f.attempt, f.attempt_id::text, f.over, coalesce((f.log->>'chunks')::bigint, -1), f.name, coalesce(h.run, $1::uuid), f.cached_from::text\n"
    "FROM found f LEFT JOIN LATERAL (\n"
    "    SELECT a.run FROM leat_adopted_from($1::uuid) AS a WHERE f.worker IS NULL AND a.attempt_id = f.attempt_id LIMIT 1) AS h ON true;\n"
    "\n"
    "-- $2 as above: how many attempts it has, the first and the last; 0 = none has begun. No row: no such step.",
    3},
    {"api_attempts_of",
    "SELECT count(DISTINCT m.attempt), coalesce(min(m.attempt), 0), coalesce(max(m.attempt), 0)\n"
    "FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "CROSS JOIN LATERAL jsonb_array_elements(v.ir->'steps') WITH ORDINALITY AS e (step, ord)\n"
    "LEFT JOIN LATERAL (\n"
    "    SELECT iteration, attempt FROM step_result WHERE run = r.id AND step_result.step = ord - 1\n"
    "    UNION ALL SELECT iteration, attempt FROM attempt_done WHERE run = r.id AND attempt_done.step = ord - 1\n"
    "    UNION ALL SELECT iteration, attempt FROM step_live WHERE run = r.id AND step_live.step = ord - 1) AS m ON m.attempt > 0\n"
    "WHERE r.id = $1::uuid AND $2::text IN (e.step->>'name', (e.step->>'name') || '[' || m.iteration || ']')\n"
    "GROUP BY e.ord",
    2},
    {"api_artifacts",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('step', v.ir->'steps'->s.step->>'name', 'output', o.key, 'sha256', o.value->>'artifact',\n"
    "    'size', o.value->'size', 'folder', coalesce(o.value->'folder', 'false')) ORDER BY s.step, o.key), '[]')::text\n"
    "FROM step_result s JOIN run r ON r.id = s.run\n"
    "JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "CROSS JOIN LATERAL jsonb_each(coalesce(s.outputs, '{}')) AS o\n"
    "WHERE s.run = $1::uuid AND jsonb_typeof(o.value) = 'object' AND o.value ? 'artifact'",
    1},
    {"api_artifact",
    "SELECT o.value->>'artifact', coalesce((o.value->>'folder')::boolean, false)\n"
    "FROM step_result s JOIN run r ON r.id = s.run\n"
    "JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "CROSS JOIN LATERAL jsonb_each(coalesce(s.outputs, '{}')) AS o\n"
    "WHERE s.run = $1::uuid AND v.ir->'steps'->s.step->>'name' = $2::text AND o.key = $3::text\n"
    "  AND jsonb_typeof(o.value) = 'object' AND o.value ? 'artifact';\n"
    "\n"
    "-- What its steps that pin objects gave: the step, its manifest's hash; one more than are looked for (api/pins.h).",
    3},
    {"api_pins",
    "SELECT v.ir->'steps'->s.step->>'name', s.outputs->'manifest'->>'artifact'\n"
    "FROM run r JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "JOIN step_result s ON s.run = r.id\n"
    "WHERE r.id = $1::uuid AND v.ir->'steps'->s.step->>'kind' = 'objects' AND s.outputs->'manifest' ? 'artifact'\n"
    "ORDER BY s.step, s.iteration LIMIT 10001",
    1},
    {"api_idempotency",
    "INSERT INTO idempotency (key, run) VALUES ($1::text, $2::uuid)\n"
    "ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING run",
    2},
    {"api_command_done",
    "SELECT status, detail FROM command_done WHERE id = $1::uuid;\n"
    "\n"
    "-- $1 source ('' = any), $2 since, $3 received before (NULL = none), $4 how many.",
    1},
    {"api_events",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'source', e.source, 'type', e.type, 'received', e.received,\n"
    "    'subject', e.envelope->>'subject', 'runs', (\n"
    "        SELECT coalesce(jsonb_agg(x->>'run'), '[]') FROM jsonb_array_elements(e.verdicts) AS x WHERE x ? 'run'))\n"
    "    ORDER BY e.received DESC, e.id DESC), '[]')::text\n"
    "FROM (SELECT * FROM event WHERE ($1::text = '' OR source = $1::text)\n"
    "        AND ($2::timestamptz IS NULL OR received >= $2::timestamptz)\n"
    "        AND ($3::timestamptz IS NULL OR received <= $3::timestamptz AND (received, id) < ($3::timestamptz, $4::uuid))\n"
    "      ORDER BY received DESC, id DESC LIMIT $5::bigint) AS e",
    5},
    {"api_event",
    "SELECT jsonb_build_object('id', id, 'source', source, 'type', type, 'received', received, 'subject', envelope->>'subject',\n"
    "    'data', envelope->'data', 'dataref', envelope->>'dataref', 'vars', coalesce(envelope->'vars', '{}'), 'verdicts', verdicts,\n"
    "    'runs', (SELECT coalesce(jsonb_agg(x->>'run'), '[]') FROM jsonb_array_elements(verdicts) AS x WHERE x ? 'run'))::text\n"
    "FROM event WHERE id = $1::uuid",
    1},
    {"api_event_envelope",
    "SELECT envelope::text FROM event WHERE id = $1::uuid;\n"
    "\n"
    "-- used: the slots that attempts hold there.",
    1},
    {"api_workers",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('id', w.id, 'state', w.state, 'incarnation', w.incarnation,\n"
    "    'slots', w.info->'slots', 'used', coalesce(u.used, 0),\n"
    "    'executors', w.info->'executors', 'runtime', w.info->'runtime', 'pool', w.info->'pool', 'labels', w.info->'labels', 'heard', w.heard) ORDER BY w.id), '[]')::text\n"
    "FROM worker w LEFT JOIN (SELECT worker, sum(slots) AS used FROM step_live WHERE worker IS NOT NULL GROUP BY worker) AS u ON u.worker = w.id\n"
    "WHERE NOT w.info ? 'removed'",
    0},
    {"api_worker_brief",
    "SELECT jsonb_build_object('id', id, 'state', state, 'used', (SELECT coalesce(sum(l.slots), 0) FROM step_live l WHERE l.worker = w.id))::text\n"
    "FROM worker w WHERE id = $1::text;\n"
    "\n"
    "-- The same of a worker that was removed; its credentials go with it.",
    1},
    {"api_worker_removed",
    "WITH gone AS (UPDATE token SET revoked = now() WHERE kind = 'worker' AND worker = $1::text AND revoked IS NULL)\n"
    "SELECT jsonb_build_object('id', id, 'state', 'removed')::text FROM worker WHERE id = $1::text;\n"
    "\n"
    "-- $1 id, $2 kind, $3 hash, $4 pool, $5 seconds (0 = for good), $6 who holds it.",
    1},
    {"api_token_put",
    "INSERT INTO token (id, kind, hash, pool, expires, holder)\n"
    "SELECT $1::text, $2::text, $3::bytea, $4::text, CASE WHEN $5::bigint > 0 THEN now() + $5::bigint * interval '1 second' END, $6::text\n"
    "RETURNING jsonb_build_object('id', id, 'kind', kind, 'name', holder, 'pool', pool, 'created', created, 'expires', expires)::text",
    6},
    {"api_tokens",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'state', CASE WHEN revoked IS NOT NULL THEN 'revoked'\n"
    "    WHEN used IS NOT NULL THEN 'used' WHEN expires <= now() THEN 'expired' ELSE 'valid' END, 'worker', coalesce(worker, used_by),\n"
    "    'name', holder, 'pool', pool, 'created', created, 'expires', expires) ORDER BY created DESC, id), '[]')::text\n"
    "FROM (SELECT * FROM token ORDER BY created DESC, id LIMIT 1000) AS t",
    0},
    {"api_token_revoke",
    "UPDATE token SET revoked = coalesce(revoked, now()) WHERE id = $1::text RETURNING id;\n"
    "\n"
    "-- $1 id, $2 the worker's name. Its hash, is it valid, who used it, is there such a worker.",
    1},
    {"api_join_token",
    "SELECT hash, revoked IS NULL AND expires > now(), used_by,\n"
    "       EXISTS (SELECT FROM worker w WHERE w.id = $2::text AND NOT w.info ? 'removed')\n"
    "FROM token WHERE id = $1::text AND kind = 'join';\n"
    "\n"
    "-- $1 join token, $2 worker, $3 and $4 id and hash of its credential. No row: somebody was quicker. A worker\n"
    "-- that joins again has one credential, the new one.",
    2},
    {"api_join",
    "WITH taken AS (\n"
    "    UPDATE token SET used = now(), used_by = $2::text\n"
    "    WHERE id = $1::text AND kind = 'join' AND used IS NULL AND revoked IS NULL AND expires > now() RETURNING pool),\n"
    "old AS (UPDATE token SET revoked = now()\n"
    "    WHERE kind = 'worker' AND worker = $2::text AND revoked IS NULL AND EXISTS (SELECT FROM taken)),\n"
    "made AS (\n"
    "    INSERT INTO token (id, kind, hash, worker, pool) SELECT $3::text, 'worker', $4::bytea, $2::text, pool FROM taken)\n"
    "SELECT coalesce(pool, 'default') FROM taken",
    4},
    {"api_sources",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'provider', provider, 'secret', secret, 'config', config,\n"
    "    'updated', updated) ORDER BY name), '[]')::text FROM source",
    0},
    {"api_secrets",
    "SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'updated', updated) ORDER BY name), '[]')::text FROM secret",
    0},
    {"api_secret_put",
    "INSERT INTO secret (name, sealed) VALUES ($1::text, $2::bytea)\n"
    "ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, updated = now()",
    2},
    {"api_secret_remove",
    "DELETE FROM secret WHERE name = $1::text RETURNING name;\n"
    "\n"
    "-- Only names that the step of this attempt declares, only while it is live on this worker: no row when it\n"
    "-- is not, at least one (of NULLs) when it is.",
    1},
    {"api_attempt_secrets",
    "SELECT x.name, x.sealed\n"
    "FROM step_live l JOIN run_live r ON r.id = l.run\n"
    "JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version\n"
    "LEFT JOIN secret x ON x.name = ANY ($3::text[]) AND (v.ir->'steps'->l.step->'secrets' ? x.name\n"
    "    OR v.ir->'steps'->l.step->'container'->>'registry_secret' = x.name)\n"
    "WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling');\n"
    "\n"
    "-- $1 attempt, $2 worker, $3 bucket: the source that says how it is read, while the attempt lives there.",
    3},
    {"api_attempt_bucket",
    "SELECT s.provider, s.config::text, x.name, x.sealed\n"
    "FROM source s LEFT JOIN secret x ON x.name = s.config->>'credentials'\n"
    "WHERE s.provider IN ('s3', 'minio') AND s.config->>'bucket' = $3::text AND s.config ? 'credentials'\n"
    "  AND EXISTS (SELECT FROM step_live l\n"
    "              WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling'))\n"
    "ORDER BY s.name LIMIT 1;\n"
    "\n"
    "-- $1 attempt, $2 worker, $3 step, $4 iteration, $5 output: of the run of an attempt that lives there. NULL = it is no list.",
    3},
    {"api_attempt_list",
    "SELECT CASE WHEN jsonb_typeof(s.outputs->$5::text) = 'array' THEN (s.outputs->$5::text)::text END\n"
    "FROM step_live l JOIN step_result s ON s.run = l.run AND s.step = $3::int AND s.iteration = $4::int\n"
    "WHERE l.attempt_id = $1::uuid AND l.worker = $2::text AND l.state IN ('placed', 'running', 'cancelling');\n"
    "\n"
    "-- The run of a live attempt and its event.",
    5},
    {"api_attempt_run",
    "SELECT r.id, r.event FROM step_live l JOIN run_live r ON r.id = l.run\n"
    "WHERE l.attempt_id = $1::uuid AND l.state IN ('placed', 'running', 'cancelling')",
    1},
    {"api_run_cause",
    "INSERT INTO run_cause (run, attempt, by_run) VALUES ($1::uuid, $2::uuid, $3::uuid) ON CONFLICT (run) DO NOTHING;\n"
    "\n"
    "-- $1 id, $2 kind. Its hash, is it valid, whose it is.",
    3},
    {"api_token",
    "SELECT hash, revoked IS NULL AND used IS NULL AND (expires IS NULL OR expires > now()) AND NOT EXISTS (\n"
    "    SELECT FROM worker w WHERE w.id = token.worker AND w.info ? 'removed'), coalesce(worker, ''), coalesce(holder, '')\n"
    "FROM token WHERE id = $1::text AND kind = $2::text",
    2},
    {"bus_id",
    "SELECT id FROM bus",
    0},
    {"bus_topic_make",
    "INSERT INTO bus_topic (name)\n"
    "SELECT n FROM unnest($1::text[]) AS n\n"
    "WHERE NOT EXISTS (SELECT FROM bus_topic WHERE name = n)\n"
    "ON CONFLICT (name) DO NOTHING",
    1},
    {"bus_producer_lock",
    "SELECT pg_try_advisory_lock(hashtextextended('leat.bus.producer.' || $1::text, 0))",
    1},
    {"bus_producer_holder",
    "SELECT a.pid, a.application_name\n"
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid)\n"
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1\n"
    "  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())\n"
    "  AND (l.classid::bigint << 32 | l.objid::bigint)\n"
    "      = hashtextextended('leat.bus.producer.' || $1::text, 0);\n"
    "\n"
    "-- One producer of a topic at a time makes its partition: the row of the topic is the lock, in a\n"
    "-- statement of its own, so that the next one sees what was made meanwhile.",
    1},
    {"bus_topic_lock",
    "SELECT id FROM bus_topic WHERE name = $1::text FOR NO KEY UPDATE",
    1},
    {"bus_partition_make",
    "INSERT INTO bus_partition (topic, partition, producer)\n"
    "SELECT t.id, (SELECT coalesce(max(p.partition) + 1, 0) FROM bus_partition p WHERE p.topic = t.id),\n"
    "       $2::text\n"
    "FROM bus_topic t\n"
    "WHERE t.name = $1::text\n"
    "  AND NOT EXISTS (SELECT FROM bus_partition p WHERE p.topic = t.id AND p.producer = $2::text)",
    2},
    {"bus_partition_of",
    "SELECT p.topic, p.partition, p.next\n"
    "FROM bus_topic t JOIN bus_partition p ON p.topic = t.id\n"
    "WHERE t.name = $1::text AND p.producer = $2::text;\n"
    "\n"
    "-- $1..$3: partitions and how many records each gets; $4..$7: the records, numbered from 0 within\n"
    "-- their partition.",
    2},
    {"bus_append",
    "WITH bumped AS (\n"
    "    UPDATE bus_partition p SET next = p.next + c.n\n"
    "    FROM unnest($1::int[], $2::int[], $3::bigint[]) AS c (topic, partition, n)\n"
    "    WHERE p.topic = c.topic AND p.partition = c.partition\n"
    "    RETURNING p.topic, p.partition, p.next - c.n AS base\n"
    "), written AS (\n"
    "    INSERT INTO bus_record (topic, partition, off, key, value)\n"
    "    SELECT b.topic, b.partition, b.base + r.number, r.key, r.value\n"
    "    FROM unnest($4::int[], $5::bigint[], $6::bytea[], $7::bytea[]) AS r (topic, number, key, value)\n"
    "    JOIN bumped b ON b.topic = r.topic\n"
    ")\n"
    "SELECT topic, partition, base FROM bumped",
    7},
    {"bus_ends",
    "SELECT t.name, p.partition, p.next\n"
    "FROM bus_topic t JOIN bus_partition p ON p.topic = t.id\n"
    "WHERE t.name = ANY ($1::text[])\n"
    "ORDER BY t.name, p.partition",
    1},
    {"bus_look",
    "SELECT n.slot::int - 1, t.id, p.partition, p.next, p.first\n"
    "FROM unnest($1::text[]) WITH ORDINALITY AS n (name, slot)\n"
    "JOIN bus_topic t ON t.name = n.name\n"
    "JOIN bus_partition p ON p.topic = t.id;\n"
    "\n"
    "-- $1..$3: where each partition is to be read from; $4: at most so many records of each, $5: about\n"
    "-- so many bytes of each (one record at least).",
    1},
    {"bus_read",
    "SELECT a.slot::int - 1, r.off, r.key, r.value\n"
    "FROM unnest($1::int[], $2::int[], $3::bigint[]) WITH ORDINALITY AS a (topic, partition, off, slot)\n"
    "CROSS JOIN LATERAL (\n"
    "    SELECT s.off, s.key, s.value\n"
    "    FROM (SELECT b.off, b.key, b.value,\n"
    "                 sum(octet_length(b.value)) OVER (ORDER BY b.off) - octet_length(b.value) AS before\n"
    "          FROM bus_record b\n"
    "          WHERE b.topic = a.topic AND b.partition = a.partition\n"
    "            AND b.off >= a.off AND b.off < a.off + $4::bigint) AS s\n"
    "    WHERE s.before < $5::bigint) AS r\n"
    "ORDER BY 1, 2;\n"
    "\n"
    "-- A piece at a time; no row when there is nothing left to do.",
    5},
    {"bus_trim",
    "WITH raised AS (\n"
    "    UPDATE bus_partition p SET first = least($3::bigint, p.next, p.first + 2000)\n"
    "    FROM bus_topic t\n"
    "    WHERE t.name = $1::text AND p.topic = t.id AND p.partition = $2::int\n"
    "      AND p.first < least($3::bigint, p.next)\n"
    "    RETURNING p.topic, p.partition, p.first\n"
    "), gone AS (\n"
    "    DELETE FROM bus_record r USING raised a\n"
    "    WHERE r.topic = a.topic AND r.partition = a.partition AND r.off < a.first\n"
    ")\n"
    "SELECT first FROM raised;\n"
    "\n"
    "-- Is what was cut off in? The end of the partition and the record that stands where it would.",
    3},
    {"bus_record_at",
    "SELECT p.next, r.value\n"
    "FROM bus_topic t\n"
    "JOIN bus_partition p ON p.topic = t.id\n"
    "LEFT JOIN bus_record r ON r.topic = p.topic AND r.partition = p.partition AND r.off = $3::bigint\n"
    "WHERE t.name = $1::text AND p.producer = $2::text",
    3},
    {"doctor_server",
    "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),\n"
    "    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',\n"
    "    current_setting('synchronous_commit') <> 'off', current_setting('default_transaction_read_only') = 'on',\n"
    "    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int\n"
    "        - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')",
    0},
    {"doctor_clock",
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    0},
    {"doctor_tables",
    "SELECT to_regclass('bus_partition') IS NOT NULL, to_regclass('leader') IS NOT NULL",
    0},
    {"doctor_bus",
    "SELECT (SELECT count(*) FROM bus_partition)::bigint, (SELECT coalesce(sum(p.next - coalesce(o.next, 0)), 0)::bigint\n"
    "    FROM bus_partition p JOIN bus_topic t ON t.id = p.topic CROSS JOIN bus b\n"
    "    LEFT JOIN read_offset o ON o.bus = b.id AND o.topic = t.name AND o.partition = p.partition\n"
    "    WHERE t.name IN ('leat.commands', 'leat.reports', 'leat.events'))",
    0},
    {"migrations_applied",
    "SELECT number, name, sha256 FROM leat_migration ORDER BY number",
    0},
    {"migration_record",
    "INSERT INTO leat_migration (number, name, sha256) VALUES ($1::int, $2::text, $3::text);\n"
    "\n"
    "-- Who applies, pauses or deletes says `NOTIFY leat_catalog`; never inside a hot transaction.",
    3},
    {"catalog_listen",
    "LISTEN leat_catalog",
    0},
    {"leader_look",
    "SELECT l.epoch, l.tx_seq, b.beat, coalesce(l.backend_pid, 0), NOT EXISTS (\n"
    "    SELECT FROM pg_stat_get_activity(l.backend_pid) a WHERE a.backend_start = l.backend_start)\n"
    "FROM leader l, leader_beat b",
    0},
    {"leader_terminate",
    "SELECT pg_terminate_backend(a.pid, 5000)\n"
    "FROM leader l\n"
    "JOIN pg_stat_activity a ON a.pid = l.backend_pid AND a.backend_start = l.backend_start\n"
    "WHERE l.epoch = $1::bigint AND a.pid <> pg_backend_pid()",
    1},
    {"leader_take",
    "WITH taken AS (\n"
    "    UPDATE leader\n"
    "    SET epoch = greatest(epoch + 1, $2::bigint), holder = $3::text, backend_pid = pg_backend_pid(),\n"
    "        backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())\n"
    "    WHERE epoch = $1::bigint\n"
    "    RETURNING epoch, tx_seq\n"
    "), beat AS (\n"
    "    UPDATE leader_beat b SET epoch = t.epoch, beat = b.beat + 1 FROM taken t RETURNING b.beat\n"
    ")\n"
    "SELECT t.epoch, t.tx_seq, b.beat FROM taken t, beat b;\n"
    "\n"
    "-- The leader's connection was made again.",
    3},
    {"leader_backend",
    "UPDATE leader\n"
    "SET backend_pid = pg_backend_pid(),\n"
    "    backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())\n"
    "WHERE epoch = $1::bigint",
    1},
    {"leader_beat",
    "UPDATE leader_beat SET beat = beat + 1 WHERE epoch = $1::bigint\n"
    "RETURNING beat, (SELECT gen FROM catalog)",
    1},
    {"lock_timeout_none",
    "SELECT set_config('lock_timeout', '0', true)",
    0},
    {"leader_probe",
    "SELECT epoch, tx_seq FROM leader FOR UPDATE;\n"
    "\n"
    "-- ---- the one transaction: the fence, then one statement for each array of the batch",
    0},
    {"batch_fence",
    "SELECT leat_fence($1::bigint, $2::bigint)",
    2},
    {"batch_inbox",
    "INSERT INTO inbox (id, received) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])",
    2},
    {"batch_events",
    "INSERT INTO event (id, received, source, type, envelope, verdicts)\n"
    "SELECT e.id, e.received, e.source, e.type, e.envelope::jsonb, e.verdicts::jsonb\n"
    "FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])\n"
    "    AS e (id, received, source, type, envelope, verdicts)",
    6},
    {"batch_runs",
    "INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, reason, trigger,\n"
    "                      event, params, vars, retry_of, retry_from, again, created, started,\n"
    "                      concurrency_key, no_cache)\n"
    "SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,\n"
    "       r.event, r.params::jsonb, r.vars::jsonb, r.retry_of, r.retry_from, r.again, r.created,\n"
    "       r.started, r.concurrency_key, r.no_cache\n"
    "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],\n"
    "            $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::uuid[],\n"
    "            $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::text[], $19::bool[])\n"
    "    AS r (id, pipeline, version, name, number, experiment, state, reason, trigger, event, params,\n"
    "          vars, retry_of, retry_from, again, created, started, concurrency_key,\n"
    "          no_cache)",
    19},
    {"batch_run_moves",
    "UPDATE run_live r\n"
    "SET state = m.state, reason = m.reason, started = coalesce(m.started, r.started),\n"
    "    cancelled = coalesce(m.cancelled, r.cancelled)\n"
    "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])\n"
    "    AS m (id, state, reason, started, cancelled)\n"
    "WHERE r.id = m.id",
    5},
    {"batch_run_ends",
    "WITH finallys AS (DELETE FROM finally_start WHERE run = ANY ($1::uuid[])), gone AS (\n"
    "    DELETE FROM run_live r\n"
    "    USING unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],\n"
    "                 $6::timestamptz[]) AS m (id, state, reason, started, cancelled, finished)\n"
    "    WHERE r.id = m.id\n"
    "    RETURNING r.id, r.pipeline, r.version, r.name, r.number, r.experiment, m.state, m.reason,\n"
    "              r.trigger, r.event, r.params, r.vars, r.retry_of, r.retry_from, r.again, r.created,\n"
    "              coalesce(m.started, r.started) AS started,\n"
    "              coalesce(m.cancelled, r.cancelled) AS cancelled, m.finished\n"
    ")\n"
    "INSERT INTO run_done (id, pipeline, version, name, number, experiment, state, reason, trigger,\n"
    "                      event, params, vars, retry_of, retry_from, again, created, started, cancelled,\n"
    "                      finished)\n"
    "SELECT * FROM gone",
    6},
    {"batch_steps",
    "INSERT INTO step_live AS s (run, step, iteration, state, attempt, attempt_id, nonce, worker,\n"
    "                            incarnation, since, started, due, lost, reason, leave, limits, pool, slots)\n"
    "SELECT u.run, u.step, u.iteration, u.state, u.attempt, u.attempt_id, u.nonce, u.worker, u.incarnation,\n"
    "       u.since, u.started, u.due, u.lost, u.reason, u.leave, u.limits::jsonb, u.pool, u.slots\n"
    "FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::uuid[],\n"
    "            $7::bigint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::timestamptz[],\n"
    "            $12::bigint[], $13::int[], $14::text[], $15::bool[], $16::text[], $17::text[], $18::int[])\n"
    "    AS u (run, step, iteration, state, attempt, attempt_id, nonce, worker, incarnation, since,\n"
    "          started, due, lost, reason, leave, limits, pool, slots)\n"
    "ON CONFLICT (run, step, iteration) DO UPDATE\n"
    "SET state = excluded.state, attempt = excluded.attempt, attempt_id = excluded.attempt_id,\n"
    "    nonce = excluded.nonce, worker = excluded.worker, incarnation = excluded.incarnation,\n"
    "    since = excluded.since, started = excluded.started, due = excluded.due, lost = excluded.lost,\n"
    "    reason = excluded.reason, leave = excluded.leave, limits = excluded.limits,\n"
    "    pool = excluded.pool, slots = excluded.slots",
    18},
    {"batch_results",
    "WITH gone AS (\n"
    "    DELETE FROM step_live s\n"
    "    USING unnest($1::uuid[], $2::int[], $3::int[]) AS r (run, step, iteration)\n"
    "    WHERE s.run = r.run AND s.step = r.step AND s.iteration = r.iteration\n"
    ")\n"
    "INSERT INTO step_result (run, step, iteration, state, attempt, attempt_id, worker, exit_code,\n"
    "                         reason, outputs, metrics, log, started, finished, image, cached_from)\n"
    "SELECT r.run, r.step, r.iteration, r.state, r.attempt, r.attempt_id, r.worker, r.exit_code,\n"
    "       r.reason, r.outputs::jsonb, r.metrics::jsonb, r.log::jsonb, r.started, r.finished, r.image,\n"
    "       r.cached_from\n"
    "FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::uuid[], $7::text[],\n"
    "            $8::int[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],\n"
    "            $14::timestamptz[], $15::text[], $16::uuid[])\n"
    "    AS r (run, step, iteration, state, attempt, attempt_id, worker, exit_code, reason, outputs,\n"
    "          metrics, log, started, finished, image, cached_from)",
    16},
    {"batch_attempts",
    "INSERT INTO attempt_done (run, step, iteration, attempt, attempt_id, state, worker, exit_code,\n"
    "                          reason, log, started, finished, image)\n"
    "SELECT a.run, a.step, a.iteration, a.attempt, a.attempt_id, a.state, a.worker, a.exit_code,\n"
    "       a.reason, a.log::jsonb, a.started, a.finished, a.image\n"
    "FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::uuid[], $6::text[], $7::text[],\n"
    "            $8::int[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[],\n"
    "            $13::text[])\n"
    "    AS a (run, step, iteration, attempt, attempt_id, state, worker, exit_code, reason, log, started,\n"
    "          finished, image)",
    13},
    {"batch_starts",
    "INSERT INTO run_start (child, parent, step, iteration, attempt, depth, at)\n"
    "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[],\n"
    "                     $7::timestamptz[])",
    7},
    {"batch_groups",
    "INSERT INTO group_start (run, step, iteration, attempt, first, count, branch, items)\n"
    "SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::jsonb\n"
    "FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[],\n"
    "            $8::text[])\n"
    "    AS g (run, step, iteration, attempt, first, count, branch, items)",
    8},
    {"batch_finallys",
    "INSERT INTO finally_start (run, iteration, started, up)\n"
    "SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bool[])\n"
    "ON CONFLICT (run, iteration) DO UPDATE SET up = excluded.up;\n"
    "\n"
    "-- Of two in one batch the later counts, as of two batches.",
    4},
    {"batch_cached",
    "INSERT INTO cached_result AS c (key, run, step, iteration, finished)\n"
    "SELECT DISTINCT ON (n.key) n.key, n.run, n.step, n.iteration, n.finished\n"
    "FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::timestamptz[]) WITH ORDINALITY\n"
    "    AS n (key, run, step, iteration, finished, place)\n"
    "ORDER BY n.key, n.place DESC\n"
    "ON CONFLICT (key) DO UPDATE\n"
    "SET run = excluded.run, step = excluded.step, iteration = excluded.iteration,\n"
    "    finished = excluded.finished;\n"
    "\n"
    "-- Without its hello's info a worker is only updated: it is there.",
    5},
    {"batch_workers",
    "INSERT INTO worker AS w (id, incarnation, boot, state, report_n, info, heard)\n"
    "SELECT n.id, n.incarnation, n.boot, n.state, n.report_n, coalesce(n.info, '{}')::jsonb, n.heard\n"
    "FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[],\n"
    "            $7::timestamptz[])\n"
    "    AS n (id, incarnation, boot, state, report_n, info, heard)\n"
    "ON CONFLICT (id) DO UPDATE\n"
    "SET incarnation = excluded.incarnation, boot = excluded.boot, state = excluded.state,\n"
    "    report_n = excluded.report_n, heard = excluded.heard,\n"
    "    info = CASE WHEN excluded.info = '{}'::jsonb THEN w.info ELSE excluded.info END",
    7},
    {"batch_forgets",
    "DELETE FROM worker WHERE id = ANY ($1::text[])",
    1},
    {"batch_commands",
    "INSERT INTO command_done (id, kind, status, detail, at)\n"
    "SELECT c.id, c.kind, CASE WHEN c.accepted THEN 'accepted' WHEN c.busy THEN 'busy' ELSE 'refused' END, c.detail, c.at\n"
    "FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::bool[], $5::text[], $6::timestamptz[])\n"
    "    AS c (id, kind, accepted, busy, detail, at)",
    6},
    {"batch_numbers",
    "UPDATE pipeline p SET next_number = n.next\n"
    "FROM unnest($1::text[], $2::bigint[]) AS n (pipeline, next)\n"
    "WHERE p.name = n.pipeline",
    2},
    {"batch_tombstones",
    "INSERT INTO run_tombstone (run, at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])\n"
    "ON CONFLICT (run) DO NOTHING",
    2},
    {"batch_offsets",
    "INSERT INTO read_offset (bus, topic, partition, next)\n"
    "SELECT $1::uuid, o.topic, o.partition, o.next\n"
    "FROM unnest($2::text[], $3::int[], $4::bigint[]) AS o (topic, partition, next)\n"
    "ON CONFLICT (bus, topic, partition) DO UPDATE SET next = excluded.next;\n"
    "\n"
    "-- ---- what is committed, for a leader that begins\n"
    "\n"
    "-- What it is configured with, for whoever asks and for what is refused without it.",
    4},
    {"leader_bounds",
    "UPDATE leader SET most_runs = $1::bigint, most_pipelines = $2::bigint, most_workers = $3::bigint WHERE backend_pid = pg_backend_pid()",
    3},
    {"load_leader",
    "SELECT l.epoch, l.tx_seq, c.gen, now() FROM leader l, catalog c",
    0},
    {"load_versions",
    "SELECT v.pipeline, v.hash, v.ir::text\n"
    "FROM pipeline_version v\n"
    "WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted\n"
    "                               UNION SELECT r.pipeline, r.version FROM run_live r\n"
    "                               UNION SELECT r.pipeline, r.version FROM run_done r WHERE r.id = ANY (ARRAY(\n"
    "                                   SELECT l.retry_of FROM run_live l WHERE l.again = 'only')));\n"
    "\n"
    "-- At a takeover ($1 < 0) of deleted ones only those of live runs and the newest.",
    0},
    {"load_pipelines",
    "SELECT name, version, paused, deleted, next_number, gen, to_jsonb(nullif(paused_triggers, '{}'))::text FROM pipeline\n"
    "WHERE gen > $1::bigint AND (NOT deleted OR $1::bigint >= 0 OR name IN (SELECT r.pipeline FROM run_live r)\n"
    "    OR name IN (SELECT d.name FROM pipeline d WHERE d.deleted ORDER BY d.gen DESC LIMIT 1000))",
    1},
    {"load_runs",
    "SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,\n"
    "       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled,\n"
    "       (SELECT e.envelope::text FROM event e WHERE e.id = r.event LIMIT 1), r.retry_from, r.again,\n"
    "       r.concurrency_key, r.no_cache\n"
    "FROM run_live r\n"
    "ORDER BY r.created, r.id;\n"
    "\n"
    "-- Finished runs that a retry still adopts from: all of them before it begins, those with groups for\n"
    "-- as long as it lives.",
    0},
    {"load_adopted_runs",
    "SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,\n"
    "       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled, NULL,\n"
    "       '', '', '', false\n"
    "FROM run_done r\n"
    "WHERE r.id = ANY (ARRAY(SELECT l.retry_of FROM run_live l WHERE l.retry_of IS NOT NULL\n"
    "    AND (l.state = 'pending' OR l.again = 'rerun' OR EXISTS (SELECT FROM group_start g WHERE g.run = l.retry_of))))",
    0},
    {"load_adopted_results",
    "SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text,\n"
    "       s.metrics::text, s.log::text, s.reason, s.image, s.cached_from\n"
    "FROM step_result s\n"
    "WHERE s.run = ANY (ARRAY(SELECT l.retry_of FROM run_live l WHERE l.retry_of IS NOT NULL\n"
    "    AND (l.state = 'pending' OR l.again = 'rerun' OR EXISTS (SELECT FROM group_start g WHERE g.run = l.retry_of))))",
    0},
    {"load_adopted_groups",
    "SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text\n"
    "FROM group_start g\n"
    "WHERE g.run = ANY (ARRAY(SELECT retry_of FROM run_live WHERE retry_of IS NOT NULL))",
    0},
    {"load_steps",
    "SELECT run, step, iteration, state, attempt, attempt_id, nonce, worker, incarnation, since, started,\n"
    "       due, lost, reason, leave, limits::text, pool, slots\n"
    "FROM step_live",
    0},
    {"load_results",
    "SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text, NULL::text,\n"
    "       NULL::text, s.reason, NULL::text, s.cached_from\n"
    "FROM run_live r JOIN step_result s ON s.run = r.id",
    0},
    {"load_limits",
    "SELECT name, n FROM named_limit",
    0},
    {"load_pools",
    "SELECT name, coalesce(slots, -1), path FROM pool",
    0},
    {"load_starts",
    "SELECT s.child, s.parent, s.step, s.iteration, s.attempt, s.depth\n"
    "FROM run_start s JOIN run_live r ON r.id = s.child",
    0},
    {"load_groups",
    "SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text\n"
    "FROM run_live r JOIN group_start g ON g.run = r.id",
    0},
    {"load_finallys",
    "SELECT run, iteration, started, up FROM finally_start",
    0},
    {"load_workers",
    "SELECT id, incarnation, boot, state, report_n, info::text, heard FROM worker",
    0},
    {"load_offsets",
    "SELECT topic, partition, next FROM read_offset WHERE bus = $1::uuid;\n"
    "\n"
    "-- ---- what a batch needs to know first",
    1},
    {"fetch_seen",
    "SELECT i.id IS NOT NULL, t.run IS NOT NULL\n"
    "FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, place)\n"
    "LEFT JOIN inbox i ON i.id = u.id\n"
    "LEFT JOIN run_tombstone t ON t.run = u.id\n"
    "ORDER BY u.place",
    1},
    {"fetch_catalog_gen",
    "SELECT gen FROM catalog;\n"
    "\n"
    "-- Of pipelines that are newer than $1, of the finished runs $2, and those named by $3 and $4.",
    0},
    {"fetch_versions",
    "SELECT v.pipeline, v.hash, v.ir::text\n"
    "FROM pipeline_version v\n"
    "WHERE (v.pipeline, v.hash) IN (\n"
    "    SELECT p.name, p.version FROM pipeline p WHERE p.gen > $1::bigint\n"
    "    UNION SELECT r.pipeline, r.version FROM run_done r WHERE r.id = ANY ($2::uuid[])\n"
    "    UNION SELECT n.pipeline, n.hash FROM unnest($3::text[], $4::text[]) AS n (pipeline, hash))",
    4},
    {"fetch_runs",
    "SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,\n"
    "       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled,\n"
    "       (SELECT e.envelope::text FROM event e WHERE e.id = r.event LIMIT 1), '', '', '', false\n"
    "FROM run_done r\n"
    "WHERE r.id = ANY ($1::uuid[])",
    1},
    {"fetch_results",
    "SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text,\n"
    "       s.metrics::text, s.log::text, s.reason, s.image, s.cached_from\n"
    "FROM step_result s\n"
    "WHERE s.run = ANY ($1::uuid[]) AND EXISTS (SELECT FROM run_done r WHERE r.id = s.run)",
    1},
    {"fetch_groups",
    "SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text\n"
    "FROM group_start g\n"
    "WHERE g.run = ANY ($1::uuid[]) AND EXISTS (SELECT FROM run_done r WHERE r.id = g.run);\n"
    "\n"
    "-- The earlier results of keys, in their order, no older than each is wanted. One whose row has gone with\n"
    "-- its week is none.",
    1},
    {"fetch_cached",
    "SELECT k.place - 1, s.run, s.outputs::text, s.metrics::text, s.image\n"
    "FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS k (key, since, place)\n"
    "JOIN cached_result c ON c.key = k.key AND c.finished >= k.since\n"
    "JOIN step_result s ON s.run = c.run AND s.step = c.step AND s.iteration = c.iteration AND s.state = 'succeeded'\n"
    "ORDER BY k.place;\n"
    "\n"
    "-- ---- housekeeping: bounded work a call\n"
    "\n"
    "-- Each answers with what it did: NULL or 0 = nothing is left to do.",
    2},
    {"keep_partitions",
    "SELECT nullif(leat_partitions_make($1::timestamptz), 0)::text",
    1},
    {"keep_history",
    "SELECT leat_history_drop($1::timestamptz)",
    1},
    {"keep_rest",
    "SELECT nullif(leat_rest_delete($1::timestamptz, 2000), 0)::text",
    1},
    {"keep_inbox",
    "WITH gone AS (\n"
    "    DELETE FROM inbox WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM inbox WHERE received < $1::timestamptz LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_cached",
    "WITH gone AS (\n"
    "    DELETE FROM cached_result WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM cached_result WHERE finished < $1::timestamptz LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_tombstones",
    "WITH gone AS (\n"
    "    DELETE FROM run_tombstone WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM run_tombstone WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_idempotency",
    "WITH gone AS (\n"
    "    DELETE FROM idempotency WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM idempotency WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_commands",
    "WITH gone AS (\n"
    "    DELETE FROM command_done WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM command_done WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_starts",
    "WITH gone AS (\n"
    "    DELETE FROM run_start WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM run_start s WHERE s.at < $1::timestamptz\n"
    "           AND NOT EXISTS (SELECT FROM run_live r WHERE r.id = s.child) LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"keep_causes",
    "WITH gone AS (\n"
    "    DELETE FROM run_cause WHERE ctid = ANY (ARRAY(\n"
    "        SELECT ctid FROM run_cause c WHERE c.at < $1::timestamptz\n"
    "           AND NOT EXISTS (SELECT FROM run_live r WHERE r.id = c.run) LIMIT 2000)) RETURNING 1)\n"
    "SELECT nullif(count(*), 0)::text FROM gone",
    1},
    {"triggers_sources",
    "SELECT s.name, s.provider, s.config::text, s.secret, x.sealed, y.sealed\n"
    "FROM source s LEFT JOIN secret x ON x.name = s.secret\n"
    "LEFT JOIN secret y ON y.name = s.config->>'credentials'\n"
    "ORDER BY s.name",
    0},
    {"triggers_crons",
    "SELECT p.name, t->>'name', t->>'schedule', t->>'timezone', t->>'missed', c.last\n"
    "FROM pipeline p\n"
    "JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version\n"
    "CROSS JOIN LATERAL jsonb_array_elements(v.ir->'triggers') AS t\n"
    "LEFT JOIN cron_slot c ON c.pipeline = p.name AND c.trigger = t->>'name'\n"
    "WHERE NOT p.paused AND NOT p.deleted AND NOT t->>'name' = ANY (p.paused_triggers) AND t->>'kind' = 'cron'",
    0},
    {"triggers_cron_done",
    "INSERT INTO cron_slot (pipeline, trigger, last) VALUES ($1::text, $2::text, $3::timestamptz)\n"
    "ON CONFLICT (pipeline, trigger) DO UPDATE SET last = greatest(cron_slot.last, excluded.last)",
    3},
    {"triggers_objects",
    "SELECT key, version, size FROM bucket_object WHERE bucket = $1::text",
    1},
    {"triggers_object_announced",
    "INSERT INTO bucket_object (bucket, key, version, size) VALUES ($1::text, $2::text, $3::text, $4::bigint)\n"
    "ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, size = excluded.size",
    4},
    {"triggers_object_gone",
    "DELETE FROM bucket_object WHERE bucket = $1::text AND key = $2::text AND version = $3::text;\n"
    "\n"
    "-- A state of a key is about to be announced. Gives the delivery to announce it by: its own ($3), or that of\n"
    "-- the same state which a look had found already. A state older than the one that is known changes nothing.\n"
    "-- $1 source, $2 key, $3 delivery, $4 etag, $5 size, $6 at, $7 gone, $8 listed, $9 microseconds by which the\n"
    "-- times of a notification and of a listing may be apart",
    3},
    {"triggers_s3_begin",
    "WITH same AS (\n"
    "    SELECT o.delivery FROM s3_object o\n"
    "    WHERE o.source = $1::text AND o.key = $2::text AND o.gone = $7::boolean\n"
    "      AND (o.gone OR (o.etag = $4::text AND o.size = $5::bigint))\n"
    "      AND CASE WHEN NOT $8::boolean THEN o.listed AND $6::timestamptz <= o.at + interval '5 s'\n"
    "               ELSE o.gone OR $6::timestamptz <= o.at + $9::bigint * interval '1 microsecond' END\n"
    "), kept AS (\n"
    "    INSERT INTO s3_object AS o (source, key, delivery, etag, size, at, gone, listed, announced)\n"
    "    SELECT $1::text, $2::text, $3::text, $4::text, $5::bigint, $6::timestamptz, $7::boolean, $8::boolean, false\n"
    "    WHERE NOT EXISTS (SELECT FROM same)\n"
    "    ON CONFLICT (source, key) DO UPDATE SET delivery = excluded.delivery, etag = excluded.etag, size = excluded.size,\n"
    "        at = excluded.at, gone = excluded.gone, listed = excluded.listed,\n"
    "        announced = o.announced AND o.delivery = excluded.delivery\n"
    "    WHERE excluded.at >= o.at\n"
    ")\n"
    "SELECT coalesce((SELECT delivery FROM same), $3::text)",
    9},
    {"triggers_s3_announced",
    "UPDATE s3_object SET announced = true WHERE source = $1::text AND key = $2::text AND delivery = $3::text;\n"
    "\n"
    "-- Since when this place is looked at. What was known of another place of the source is forgotten.",
    3},
    {"triggers_s3_since",
    "WITH moved AS (\n"
    "    DELETE FROM s3_object\n"
    "    WHERE source = $1::text AND EXISTS (SELECT FROM s3_look l WHERE l.source = $1::text AND l.place <> $2::text)\n"
    ")\n"
    "INSERT INTO s3_look AS l (source, place) VALUES ($1::text, $2::text)\n"
    "ON CONFLICT (source) DO UPDATE SET place = excluded.place,\n"
    "    since = CASE WHEN l.place = excluded.place THEN l.since ELSE now() END\n"
    "RETURNING since;\n"
    "\n"
    "-- A piece of a listing against what is known: what was not told, what is gone, what did not reach the queue.\n"
    "-- $1 source; $2 to $3: the range of keys that the piece covers (after, up to; NULL = from the first, to the last);\n"
    "-- $4 keys, $5 etags, $6 sizes, $7 times, $8 deleted; $9 nothing younger is judged; $10 nothing older is news;\n"
    "-- $11 as $9 above.",
    2},
    {"triggers_s3_missed",
    "WITH listed AS (\n"
    "    SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::boolean[]) AS l (key, etag, size, at, gone)\n"
    "), found AS (\n"
    "    SELECT l.key, l.etag, l.size, l.at, l.gone, NULL::text AS delivery\n"
    "    FROM listed l LEFT JOIN s3_object o ON o.source = $1::text AND o.key = l.key\n"
    "    WHERE l.at < $9::timestamptz AND l.at >= $10::timestamptz\n"
    "      AND CASE WHEN o.key IS NULL THEN NOT l.gone\n"
    "               WHEN l.gone THEN NOT o.gone AND l.at >= date_trunc('second', o.at)\n"
    "               ELSE l.at >= date_trunc('second', o.at)\n"
    "                    AND (o.gone OR o.etag <> l.etag OR o.size <> l.size OR l.at > o.at + $11::bigint * interval '1 microsecond') END\n"
    "    UNION ALL\n"
    "    SELECT o.key, o.etag, o.size, greatest(o.at, $9::timestamptz + interval '10 s'), true, NULL\n"
    "    FROM s3_object o\n"
    "    WHERE o.source = $1::text AND ($2::text IS NULL OR o.key > $2::text COLLATE \"C\") AND ($3::text IS NULL OR o.key <= $3::text COLLATE \"C\")\n"
    "      AND NOT o.gone AND o.at < $9::timestamptz AND NOT EXISTS (SELECT FROM listed l WHERE l.key = o.key)\n"
    "    UNION ALL\n"
    "    SELECT o.key, o.etag, o.size, o.at, o.gone, o.delivery\n"
    "    FROM s3_object o\n"
    "    WHERE o.source = $1::text AND ($2::text IS NULL OR o.key > $2::text COLLATE \"C\") AND ($3::text IS NULL OR o.key <= $3::text COLLATE \"C\")\n"
    "      AND NOT o.announced AND o.at < $9::timestamptz\n"
    ")\n"
    "SELECT DISTINCT ON (key COLLATE \"C\") key, etag, size, at, gone, delivery FROM found\n"
    "ORDER BY key COLLATE \"C\", delivery NULLS FIRST LIMIT 1000;\n"
    "\n"
    "-- Removals that nobody will tell again.",
    11},
    {"triggers_s3_forget",
    "DELETE FROM s3_object WHERE source = $1::text AND gone AND announced AND at < now() - interval '30 days'",
    1},
    {"triggers_topic_offsets",
    "SELECT partition, next FROM topic_offset WHERE source = $1::text AND cluster = $2::text AND topic = $3::text",
    3},
    {"triggers_topic_keep",
    "INSERT INTO topic_offset AS o (source, cluster, topic, partition, next)\n"
    "VALUES ($1::text, $2::text, $3::text, $4::integer, $5::bigint)\n"
    "ON CONFLICT (source, cluster, topic, partition) DO UPDATE SET next = greatest(o.next, excluded.next)",
    5},
    {0, 0, 0}
};
