-- The embedded bus (common/bus/embedded*.c). A topic has one partition a producer; bus_append is
-- the only statement that raises `next`, in the transaction that inserts the records.

-- name: bus_id
SELECT id FROM bus;

-- name: bus_topic_make
INSERT INTO bus_topic (name)
SELECT n FROM unnest($1::text[]) AS n
WHERE NOT EXISTS (SELECT FROM bus_topic WHERE name = n)
ON CONFLICT (name) DO NOTHING;

-- name: bus_producer_lock
SELECT pg_try_advisory_lock(hashtextextended('leat.bus.producer.' || $1::text, 0));

-- name: bus_producer_holder
SELECT a.pid, a.application_name
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint)
      = hashtextextended('leat.bus.producer.' || $1::text, 0);

-- One producer of a topic at a time makes its partition: the row of the topic is the lock, in a
-- statement of its own, so that the next one sees what was made meanwhile.
-- name: bus_topic_lock
SELECT id FROM bus_topic WHERE name = $1::text FOR NO KEY UPDATE;

-- name: bus_partition_make
INSERT INTO bus_partition (topic, partition, producer)
SELECT t.id, (SELECT coalesce(max(p.partition) + 1, 0) FROM bus_partition p WHERE p.topic = t.id),
       $2::text
FROM bus_topic t
WHERE t.name = $1::text
  AND NOT EXISTS (SELECT FROM bus_partition p WHERE p.topic = t.id AND p.producer = $2::text);

-- name: bus_partition_of
SELECT p.topic, p.partition, p.next
FROM bus_topic t JOIN bus_partition p ON p.topic = t.id
WHERE t.name = $1::text AND p.producer = $2::text;

-- $1..$3: partitions and how many records each gets; $4..$7: the records, numbered from 0 within
-- their partition.
-- name: bus_append
WITH bumped AS (
    UPDATE bus_partition p SET next = p.next + c.n
    FROM unnest($1::int[], $2::int[], $3::bigint[]) AS c (topic, partition, n)
    WHERE p.topic = c.topic AND p.partition = c.partition
    RETURNING p.topic, p.partition, p.next - c.n AS base
), written AS (
    INSERT INTO bus_record (topic, partition, off, key, value)
    SELECT b.topic, b.partition, b.base + r.number, r.key, r.value
    FROM unnest($4::int[], $5::bigint[], $6::bytea[], $7::bytea[]) AS r (topic, number, key, value)
    JOIN bumped b ON b.topic = r.topic
)
SELECT topic, partition, base FROM bumped;

-- name: bus_ends
SELECT t.name, p.partition, p.next
FROM bus_topic t JOIN bus_partition p ON p.topic = t.id
WHERE t.name = ANY ($1::text[])
ORDER BY t.name, p.partition;

-- name: bus_look
SELECT n.slot::int - 1, t.id, p.partition, p.next, p.first
FROM unnest($1::text[]) WITH ORDINALITY AS n (name, slot)
JOIN bus_topic t ON t.name = n.name
JOIN bus_partition p ON p.topic = t.id;

-- $1..$3: where each partition is to be read from; $4: at most so many records of each, $5: about
-- so many bytes of each (one record at least).
-- name: bus_read
SELECT a.slot::int - 1, r.off, r.key, r.value
FROM unnest($1::int[], $2::int[], $3::bigint[]) WITH ORDINALITY AS a (topic, partition, off, slot)
CROSS JOIN LATERAL (
    SELECT s.off, s.key, s.value
    FROM (SELECT b.off, b.key, b.value,
                 sum(octet_length(b.value)) OVER (ORDER BY b.off) - octet_length(b.value) AS before
          FROM bus_record b
          WHERE b.topic = a.topic AND b.partition = a.partition
            AND b.off >= a.off AND b.off < a.off + $4::bigint) AS s
    WHERE s.before < $5::bigint) AS r
ORDER BY 1, 2;

-- A piece at a time; no row when there is nothing left to do.
-- name: bus_trim
WITH raised AS (
    UPDATE bus_partition p SET first = least($3::bigint, p.next, p.first + 2000)
    FROM bus_topic t
    WHERE t.name = $1::text AND p.topic = t.id AND p.partition = $2::int
      AND p.first < least($3::bigint, p.next)
    RETURNING p.topic, p.partition, p.first
), gone AS (
    DELETE FROM bus_record r USING raised a
    WHERE r.topic = a.topic AND r.partition = a.partition AND r.off < a.first
)
SELECT first FROM raised;

-- Is what was cut off in? The end of the partition and the record that stands where it would.
-- name: bus_record_at
SELECT p.next, r.value
FROM bus_topic t
JOIN bus_partition p ON p.topic = t.id
LEFT JOIN bus_record r ON r.topic = p.topic AND r.partition = p.partition AND r.off = $3::bigint
WHERE t.name = $1::text AND p.producer = $2::text;
