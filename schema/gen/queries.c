/* Made by schema/gen.py from schema/queries; do not edit. */

#include "schema/gen/queries.h"

const struct query QUERIES[] = {
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
    {"triggers_sources",
    "SELECT s.name, s.provider, s.config::text, s.secret, x.sealed\n"
    "FROM source s LEFT JOIN secret x ON x.name = s.secret\n"
    "ORDER BY s.name",
    0},
    {"triggers_crons",
    "SELECT p.name, t->>'name', t->>'schedule', t->>'timezone', t->>'missed', c.last\n"
    "FROM pipeline p\n"
    "JOIN pipeline_version v ON v.pipeline = p.name AND v.hash = p.version\n"
    "CROSS JOIN LATERAL jsonb_array_elements(v.ir->'triggers') AS t\n"
    "LEFT JOIN cron_slot c ON c.pipeline = p.name AND c.trigger = t->>'name'\n"
    "WHERE NOT p.paused AND NOT p.deleted AND t->>'kind' = 'cron'",
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
    "DELETE FROM bucket_object WHERE bucket = $1::text AND key = $2::text AND version = $3::text",
    3},
    {0, 0, 0}
};
