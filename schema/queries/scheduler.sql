-- The scheduler's shell (scheduler/shell/db_pg*.c).

-- ---- who leads

-- Of one backend only, not all of pg_stat_activity.
-- name: leader_look
SELECT l.epoch, l.tx_seq, b.beat, coalesce(l.backend_pid, 0), NOT EXISTS (
    SELECT FROM pg_stat_get_activity(l.backend_pid) a WHERE a.backend_start = l.backend_start)
FROM leader l, leader_beat b;

-- name: leader_terminate
SELECT pg_terminate_backend(a.pid, 5000)
FROM leader l
JOIN pg_stat_activity a ON a.pid = l.backend_pid AND a.backend_start = l.backend_start
WHERE l.epoch = $1::bigint AND a.pid <> pg_backend_pid();

-- name: leader_take
WITH taken AS (
    UPDATE leader
    SET epoch = greatest(epoch + 1, $2::bigint), holder = $3::text, backend_pid = pg_backend_pid(),
        backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
    WHERE epoch = $1::bigint
    RETURNING epoch, tx_seq
), beat AS (
    UPDATE leader_beat b SET epoch = t.epoch, beat = b.beat + 1 FROM taken t RETURNING b.beat
)
SELECT t.epoch, t.tx_seq, b.beat FROM taken t, beat b;

-- The leader's connection was made again.
-- name: leader_backend
UPDATE leader
SET backend_pid = pg_backend_pid(),
    backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
WHERE epoch = $1::bigint;

-- name: leader_beat
UPDATE leader_beat SET beat = beat + 1 WHERE epoch = $1::bigint
RETURNING beat, (SELECT gen FROM catalog);

-- name: lock_timeout_none
SELECT set_config('lock_timeout', '0', true);

-- name: leader_probe
SELECT epoch, tx_seq FROM leader FOR UPDATE;

-- ---- the one transaction: the fence, then one statement for each array of the batch

-- name: batch_fence
SELECT leat_fence($1::bigint, $2::bigint);

-- name: batch_inbox
INSERT INTO inbox (id, received) SELECT * FROM unnest($1::uuid[], $2::timestamptz[]);

-- name: batch_events
INSERT INTO event (id, received, source, type, envelope, verdicts)
SELECT e.id, e.received, e.source, e.type, e.envelope::jsonb, e.verdicts::jsonb
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS e (id, received, source, type, envelope, verdicts);

-- name: batch_runs
INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, reason, trigger,
                      event, params, vars, retry_of, retry_from, again, created, started,
                      concurrency_key, no_cache)
SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,
       r.event, r.params::jsonb, r.vars::jsonb, r.retry_of, r.retry_from, r.again, r.created,
       r.started, r.concurrency_key, r.no_cache
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::uuid[],
            $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::text[], $19::bool[])
    AS r (id, pipeline, version, name, number, experiment, state, reason, trigger, event, params,
          vars, retry_of, retry_from, again, created, started, concurrency_key,
          no_cache);

-- name: batch_run_moves
UPDATE run_live r
SET state = m.state, reason = m.reason, started = coalesce(m.started, r.started),
    cancelled = coalesce(m.cancelled, r.cancelled)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
    AS m (id, state, reason, started, cancelled)
WHERE r.id = m.id;

-- name: batch_run_ends
WITH finallys AS (DELETE FROM finally_start WHERE run = ANY ($1::uuid[])), gone AS (
    DELETE FROM run_live r
    USING unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                 $6::timestamptz[]) AS m (id, state, reason, started, cancelled, finished)
    WHERE r.id = m.id
    RETURNING r.id, r.pipeline, r.version, r.name, r.number, r.experiment, m.state, m.reason,
              r.trigger, r.event, r.params, r.vars, r.retry_of, r.retry_from, r.again, r.created,
              coalesce(m.started, r.started) AS started,
              coalesce(m.cancelled, r.cancelled) AS cancelled, m.finished
)
INSERT INTO run_done (id, pipeline, version, name, number, experiment, state, reason, trigger,
                      event, params, vars, retry_of, retry_from, again, created, started, cancelled,
                      finished)
SELECT * FROM gone;

-- name: batch_steps
INSERT INTO step_live AS s (run, step, iteration, state, attempt, attempt_id, nonce, worker,
                            incarnation, since, started, due, lost, reason, leave, limits, pool, slots)
SELECT u.run, u.step, u.iteration, u.state, u.attempt, u.attempt_id, u.nonce, u.worker, u.incarnation,
       u.since, u.started, u.due, u.lost, u.reason, u.leave, u.limits::jsonb, u.pool, u.slots
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::uuid[],
            $7::bigint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::timestamptz[],
            $12::bigint[], $13::int[], $14::text[], $15::bool[], $16::text[], $17::text[], $18::int[])
    AS u (run, step, iteration, state, attempt, attempt_id, nonce, worker, incarnation, since,
          started, due, lost, reason, leave, limits, pool, slots)
ON CONFLICT (run, step, iteration) DO UPDATE
SET state = excluded.state, attempt = excluded.attempt, attempt_id = excluded.attempt_id,
    nonce = excluded.nonce, worker = excluded.worker, incarnation = excluded.incarnation,
    since = excluded.since, started = excluded.started, due = excluded.due, lost = excluded.lost,
    reason = excluded.reason, leave = excluded.leave, limits = excluded.limits,
    pool = excluded.pool, slots = excluded.slots;

-- name: batch_results
WITH gone AS (
    DELETE FROM step_live s
    USING unnest($1::uuid[], $2::int[], $3::int[]) AS r (run, step, iteration)
    WHERE s.run = r.run AND s.step = r.step AND s.iteration = r.iteration
)
INSERT INTO step_result (run, step, iteration, state, attempt, attempt_id, worker, exit_code,
                         reason, outputs, metrics, log, started, finished, image, cached_from)
SELECT r.run, r.step, r.iteration, r.state, r.attempt, r.attempt_id, r.worker, r.exit_code,
       r.reason, r.outputs::jsonb, r.metrics::jsonb, r.log::jsonb, r.started, r.finished, r.image,
       r.cached_from
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::uuid[], $7::text[],
            $8::int[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
            $14::timestamptz[], $15::text[], $16::uuid[])
    AS r (run, step, iteration, state, attempt, attempt_id, worker, exit_code, reason, outputs,
          metrics, log, started, finished, image, cached_from);

-- name: batch_attempts
INSERT INTO attempt_done (run, step, iteration, attempt, attempt_id, state, worker, exit_code,
                          reason, log, started, finished, image)
SELECT a.run, a.step, a.iteration, a.attempt, a.attempt_id, a.state, a.worker, a.exit_code,
       a.reason, a.log::jsonb, a.started, a.finished, a.image
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::uuid[], $6::text[], $7::text[],
            $8::int[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[],
            $13::text[])
    AS a (run, step, iteration, attempt, attempt_id, state, worker, exit_code, reason, log, started,
          finished, image);

-- name: batch_starts
INSERT INTO run_start (child, parent, step, iteration, attempt, depth, at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[],
                     $7::timestamptz[]);

-- name: batch_groups
INSERT INTO group_start (run, step, iteration, attempt, first, count, branch, items)
SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::jsonb
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[],
            $8::text[])
    AS g (run, step, iteration, attempt, first, count, branch, items);

-- name: batch_finallys
INSERT INTO finally_start (run, iteration, started, up)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bool[])
ON CONFLICT (run, iteration) DO UPDATE SET up = excluded.up;

-- Of two in one batch the later counts, as of two batches.
-- name: batch_cached
INSERT INTO cached_result AS c (key, run, step, iteration, finished)
SELECT DISTINCT ON (n.key) n.key, n.run, n.step, n.iteration, n.finished
FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::timestamptz[]) WITH ORDINALITY
    AS n (key, run, step, iteration, finished, place)
ORDER BY n.key, n.place DESC
ON CONFLICT (key) DO UPDATE
SET run = excluded.run, step = excluded.step, iteration = excluded.iteration,
    finished = excluded.finished;

-- Without its hello's info a worker is only updated: it is there.
-- name: batch_workers
INSERT INTO worker AS w (id, incarnation, boot, state, report_n, info, heard)
SELECT n.id, n.incarnation, n.boot, n.state, n.report_n, coalesce(n.info, '{}')::jsonb, n.heard
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[],
            $7::timestamptz[])
    AS n (id, incarnation, boot, state, report_n, info, heard)
ON CONFLICT (id) DO UPDATE
SET incarnation = excluded.incarnation, boot = excluded.boot, state = excluded.state,
    report_n = excluded.report_n, heard = excluded.heard,
    info = CASE WHEN excluded.info = '{}'::jsonb THEN w.info ELSE excluded.info END;

-- name: batch_forgets
DELETE FROM worker WHERE id = ANY ($1::text[]);

-- name: batch_commands
INSERT INTO command_done (id, kind, status, detail, at)
SELECT c.id, c.kind, CASE WHEN c.accepted THEN 'accepted' WHEN c.busy THEN 'busy' ELSE 'refused' END, c.detail, c.at
FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::bool[], $5::text[], $6::timestamptz[])
    AS c (id, kind, accepted, busy, detail, at);

-- name: batch_numbers
UPDATE pipeline p SET next_number = n.next
FROM unnest($1::text[], $2::bigint[]) AS n (pipeline, next)
WHERE p.name = n.pipeline;

-- name: batch_tombstones
INSERT INTO run_tombstone (run, at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (run) DO NOTHING;

-- name: batch_offsets
INSERT INTO read_offset (bus, topic, partition, next)
SELECT $1::uuid, o.topic, o.partition, o.next
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS o (topic, partition, next)
ON CONFLICT (bus, topic, partition) DO UPDATE SET next = excluded.next;

-- ---- what is committed, for a leader that begins

-- What it is configured with, for whoever asks and for what is refused without it.
-- name: leader_bounds
UPDATE leader SET most_runs = $1::bigint, most_pipelines = $2::bigint, most_workers = $3::bigint WHERE backend_pid = pg_backend_pid();

-- name: load_leader
SELECT l.epoch, l.tx_seq, c.gen, now() FROM leader l, catalog c;

-- name: load_versions
SELECT v.pipeline, v.hash, v.ir::text
FROM pipeline_version v
WHERE (v.pipeline, v.hash) IN (SELECT p.name, p.version FROM pipeline p WHERE NOT p.deleted
                               UNION SELECT r.pipeline, r.version FROM run_live r
                               UNION SELECT r.pipeline, r.version FROM run_done r WHERE r.id = ANY (ARRAY(
                                   SELECT l.retry_of FROM run_live l WHERE l.again = 'only')));

-- At a takeover ($1 < 0) of deleted ones only those of live runs and the newest.
-- name: load_pipelines
SELECT name, version, paused, deleted, next_number, gen, to_jsonb(nullif(paused_triggers, '{}'))::text FROM pipeline
WHERE gen > $1::bigint AND (NOT deleted OR $1::bigint >= 0 OR name IN (SELECT r.pipeline FROM run_live r)
    OR name IN (SELECT d.name FROM pipeline d WHERE d.deleted ORDER BY d.gen DESC LIMIT 1000));

-- name: load_runs
SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,
       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled,
       (SELECT e.envelope::text FROM event e WHERE e.id = r.event LIMIT 1), r.retry_from, r.again,
       r.concurrency_key, r.no_cache
FROM run_live r
ORDER BY r.created, r.id;

-- Finished runs that a retry still adopts from: all of them before it begins, those with groups for
-- as long as it lives.
-- name: load_adopted_runs
SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,
       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled, NULL,
       '', '', '', false
FROM run_done r
WHERE r.id = ANY (ARRAY(SELECT l.retry_of FROM run_live l WHERE l.retry_of IS NOT NULL
    AND (l.state = 'pending' OR l.again = 'rerun' OR EXISTS (SELECT FROM group_start g WHERE g.run = l.retry_of))));

-- name: load_adopted_results
SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text,
       s.metrics::text, s.log::text, s.reason, s.image, s.cached_from
FROM step_result s
WHERE s.run = ANY (ARRAY(SELECT l.retry_of FROM run_live l WHERE l.retry_of IS NOT NULL
    AND (l.state = 'pending' OR l.again = 'rerun' OR EXISTS (SELECT FROM group_start g WHERE g.run = l.retry_of))));

-- name: load_adopted_groups
SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text
FROM group_start g
WHERE g.run = ANY (ARRAY(SELECT retry_of FROM run_live WHERE retry_of IS NOT NULL));

-- name: load_steps
SELECT run, step, iteration, state, attempt, attempt_id, nonce, worker, incarnation, since, started,
       due, lost, reason, leave, limits::text, pool, slots
FROM step_live;

-- name: load_results
SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text, NULL::text,
       NULL::text, s.reason, NULL::text, s.cached_from
FROM run_live r JOIN step_result s ON s.run = r.id;

-- name: load_limits
SELECT name, n FROM named_limit;

-- name: load_pools
SELECT name, coalesce(slots, -1), path FROM pool;

-- name: load_starts
SELECT s.child, s.parent, s.step, s.iteration, s.attempt, s.depth
FROM run_start s JOIN run_live r ON r.id = s.child;

-- name: load_groups
SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text
FROM run_live r JOIN group_start g ON g.run = r.id;

-- name: load_finallys
SELECT run, iteration, started, up FROM finally_start;

-- name: load_workers
SELECT id, incarnation, boot, state, report_n, info::text, heard FROM worker;

-- name: load_offsets
SELECT topic, partition, next FROM read_offset WHERE bus = $1::uuid;

-- ---- what a batch needs to know first

-- name: fetch_seen
SELECT i.id IS NOT NULL, t.run IS NOT NULL
FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, place)
LEFT JOIN inbox i ON i.id = u.id
LEFT JOIN run_tombstone t ON t.run = u.id
ORDER BY u.place;

-- name: fetch_catalog_gen
SELECT gen FROM catalog;

-- Of pipelines that are newer than $1, of the finished runs $2, and those named by $3 and $4.
-- name: fetch_versions
SELECT v.pipeline, v.hash, v.ir::text
FROM pipeline_version v
WHERE (v.pipeline, v.hash) IN (
    SELECT p.name, p.version FROM pipeline p WHERE p.gen > $1::bigint
    UNION SELECT r.pipeline, r.version FROM run_done r WHERE r.id = ANY ($2::uuid[])
    UNION SELECT n.pipeline, n.hash FROM unnest($3::text[], $4::text[]) AS n (pipeline, hash));

-- name: fetch_runs
SELECT r.id, r.pipeline, r.version, r.name, r.number, r.experiment, r.state, r.reason, r.trigger,
       r.event, r.params::text, r.vars::text, r.retry_of, r.created, r.started, r.cancelled,
       (SELECT e.envelope::text FROM event e WHERE e.id = r.event LIMIT 1), '', '', '', false
FROM run_done r
WHERE r.id = ANY ($1::uuid[]);

-- name: fetch_results
SELECT s.run, s.step, s.iteration, s.state, s.attempt, s.attempt_id, s.outputs::text,
       s.metrics::text, s.log::text, s.reason, s.image, s.cached_from
FROM step_result s
WHERE s.run = ANY ($1::uuid[]) AND EXISTS (SELECT FROM run_done r WHERE r.id = s.run);

-- name: fetch_groups
SELECT g.run, g.step, g.iteration, g.attempt, g.first, g.count, g.branch, g.items::text
FROM group_start g
WHERE g.run = ANY ($1::uuid[]) AND EXISTS (SELECT FROM run_done r WHERE r.id = g.run);

-- The earlier results of keys, in their order, no older than each is wanted. One whose row has gone with
-- its week is none.
-- name: fetch_cached
SELECT k.place - 1, s.run, s.outputs::text, s.metrics::text, s.image
FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS k (key, since, place)
JOIN cached_result c ON c.key = k.key AND c.finished >= k.since
JOIN step_result s ON s.run = c.run AND s.step = c.step AND s.iteration = c.iteration AND s.state = 'succeeded'
ORDER BY k.place;

-- ---- housekeeping: bounded work a call

-- Each answers with what it did: NULL or 0 = nothing is left to do.
-- name: keep_partitions
SELECT nullif(leat_partitions_make($1::timestamptz), 0)::text;

-- name: keep_history
SELECT leat_history_drop($1::timestamptz);

-- name: keep_rest
SELECT nullif(leat_rest_delete($1::timestamptz, 2000), 0)::text;

-- name: keep_inbox
WITH gone AS (
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM inbox WHERE received < $1::timestamptz LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_cached
WITH gone AS (
    DELETE FROM cached_result WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cached_result WHERE finished < $1::timestamptz LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_tombstones
WITH gone AS (
    DELETE FROM run_tombstone WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM run_tombstone WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_idempotency
WITH gone AS (
    DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_commands
WITH gone AS (
    DELETE FROM command_done WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM command_done WHERE at < $1::timestamptz LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_starts
WITH gone AS (
    DELETE FROM run_start WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM run_start s WHERE s.at < $1::timestamptz
           AND NOT EXISTS (SELECT FROM run_live r WHERE r.id = s.child) LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;

-- name: keep_causes
WITH gone AS (
    DELETE FROM run_cause WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM run_cause c WHERE c.at < $1::timestamptz
           AND NOT EXISTS (SELECT FROM run_live r WHERE r.id = c.run) LIMIT 2000)) RETURNING 1)
SELECT nullif(count(*), 0)::text FROM gone;
