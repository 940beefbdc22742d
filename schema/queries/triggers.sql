-- What leat-triggers reads and writes: sources, cron slots, announced objects.

-- name: triggers_sources
SELECT s.name, s.provider, s.config::text, s.secret, x.sealed, y.sealed
FROM source s LEFT JOIN secret x ON x.name = s.secret
LEFT JOIN secret y ON y.name = s.config->>'credentials'
ORDER BY s.name;

-- name: triggers_crons
SELECT p.name, t->>'name', t->>'schedule', t->>'timezone', t->>'missed', c.last
FROM pipeline p
JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version
CROSS JOIN LATERAL jsonb_array_elements(v.ir->'triggers') AS t
LEFT JOIN cron_slot c ON c.pipeline = p.name AND c.trigger = t->>'name'
WHERE NOT p.paused AND NOT p.deleted AND NOT t->>'name' = ANY (p.paused_triggers) AND t->>'kind' = 'cron';

-- name: triggers_cron_done
INSERT INTO cron_slot (pipeline, trigger, last) VALUES ($1::text, $2::text, $3::timestamptz)
ON CONFLICT (pipeline, trigger) DO UPDATE SET last = greatest(cron_slot.last, excluded.last);

-- name: triggers_objects
SELECT key, version, size FROM bucket_object WHERE bucket = $1::text;

-- name: triggers_object_announced
INSERT INTO bucket_object (bucket, key, version, size) VALUES ($1::text, $2::text, $3::text, $4::bigint)
ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, size = excluded.size;

-- name: triggers_object_gone
DELETE FROM bucket_object WHERE bucket = $1::text AND key = $2::text AND version = $3::text;

-- A state of a key is about to be announced. Gives the delivery to announce it by: its own ($3), or that of
-- the same state which a look had found already. A state older than the one that is known changes nothing.
-- $1 source, $2 key, $3 delivery, $4 etag, $5 size, $6 at, $7 gone, $8 listed, $9 microseconds by which the
-- times of a notification and of a listing may be apart
-- name: triggers_s3_begin
WITH same AS (
    SELECT o.delivery FROM s3_object o
    WHERE o.source = $1::text AND o.key = $2::text AND o.gone = $7::boolean
      AND (o.gone OR (o.etag = $4::text AND o.size = $5::bigint))
      AND CASE WHEN NOT $8::boolean THEN o.listed AND $6::timestamptz <= o.at + interval '5 s'
               ELSE o.gone OR $6::timestamptz <= o.at + $9::bigint * interval '1 microsecond' END
), kept AS (
    INSERT INTO s3_object AS o (source, key, delivery, etag, size, at, gone, listed, announced)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::bigint, $6::timestamptz, $7::boolean, $8::boolean, false
    WHERE NOT EXISTS (SELECT FROM same)
    ON CONFLICT (source, key) DO UPDATE SET delivery = excluded.delivery, etag = excluded.etag, size = excluded.size,
        at = excluded.at, gone = excluded.gone, listed = excluded.listed,
        announced = o.announced AND o.delivery = excluded.delivery
    WHERE excluded.at >= o.at
)
SELECT coalesce((SELECT delivery FROM same), $3::text);

-- name: triggers_s3_announced
UPDATE s3_object SET announced = true WHERE source = $1::text AND key = $2::text AND delivery = $3::text;

-- Since when this place is looked at. What was known of another place of the source is forgotten.
-- name: triggers_s3_since
WITH moved AS (
    DELETE FROM s3_object
    WHERE source = $1::text AND EXISTS (SELECT FROM s3_look l WHERE l.source = $1::text AND l.place <> $2::text)
)
INSERT INTO s3_look AS l (source, place) VALUES ($1::text, $2::text)
ON CONFLICT (source) DO UPDATE SET place = excluded.place,
    since = CASE WHEN l.place = excluded.place THEN l.since ELSE now() END
RETURNING since;

-- A piece of a listing against what is known: what was not told, what is gone, what did not reach the queue.
-- $1 source; $2 to $3: the range of keys that the piece covers (after, up to; NULL = from the first, to the last);
-- $4 keys, $5 etags, $6 sizes, $7 times, $8 deleted; $9 nothing younger is judged; $10 nothing older is news;
-- $11 as $9 above.
-- name: triggers_s3_missed
WITH listed AS (
    SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::boolean[]) AS l (key, etag, size, at, gone)
), found AS (
    SELECT l.key, l.etag, l.size, l.at, l.gone, NULL::text AS delivery
    FROM listed l LEFT JOIN s3_object o ON o.source = $1::text AND o.key = l.key
    WHERE l.at < $9::timestamptz AND l.at >= $10::timestamptz
      AND CASE WHEN o.key IS NULL THEN NOT l.gone
               WHEN l.gone THEN NOT o.gone AND l.at >= date_trunc('second', o.at)
               ELSE l.at >= date_trunc('second', o.at)
                    AND (o.gone OR o.etag <> l.etag OR o.size <> l.size OR l.at > o.at + $11::bigint * interval '1 microsecond') END
    UNION ALL
    SELECT o.key, o.etag, o.size, greatest(o.at, $9::timestamptz + interval '10 s'), true, NULL
    FROM s3_object o
    WHERE o.source = $1::text AND ($2::text IS NULL OR o.key > $2::text COLLATE "C") AND ($3::text IS NULL OR o.key <= $3::text COLLATE "C")
      AND NOT o.gone AND o.at < $9::timestamptz AND NOT EXISTS (SELECT FROM listed l WHERE l.key = o.key)
    UNION ALL
    SELECT o.key, o.etag, o.size, o.at, o.gone, o.delivery
    FROM s3_object o
    WHERE o.source = $1::text AND ($2::text IS NULL OR o.key > $2::text COLLATE "C") AND ($3::text IS NULL OR o.key <= $3::text COLLATE "C")
      AND NOT o.announced AND o.at < $9::timestamptz
)
SELECT DISTINCT ON (key COLLATE "C") key, etag, size, at, gone, delivery FROM found
ORDER BY key COLLATE "C", delivery NULLS FIRST LIMIT 1000;

-- Removals that nobody will tell again.
-- name: triggers_s3_forget
DELETE FROM s3_object WHERE source = $1::text AND gone AND announced AND at < now() - interval '30 days';

-- name: triggers_topic_offsets
SELECT partition, next FROM topic_offset WHERE source = $1::text AND cluster = $2::text AND topic = $3::text;

-- name: triggers_topic_keep
INSERT INTO topic_offset AS o (source, cluster, topic, partition, next)
VALUES ($1::text, $2::text, $3::text, $4::integer, $5::bigint)
ON CONFLICT (source, cluster, topic, partition) DO UPDATE SET next = greatest(o.next, excluded.next);
