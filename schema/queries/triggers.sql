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
WHERE NOT p.paused AND NOT p.deleted AND t->>'kind' = 'cron';

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
