-- What `leat doctor` asks of a Postgres that may hold nothing of Leat yet.

-- name: doctor_server
SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
    current_setting('synchronous_commit') <> 'off', current_setting('default_transaction_read_only') = 'on',
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend');

-- name: doctor_clock
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: doctor_tables
SELECT to_regclass('bus_partition') IS NOT NULL, to_regclass('leader') IS NOT NULL;

-- name: doctor_bus
SELECT (SELECT count(*) FROM bus_partition)::bigint, (SELECT coalesce(sum(p.next - coalesce(o.next, 0)), 0)::bigint
    FROM bus_partition p JOIN bus_topic t ON t.id = p.topic CROSS JOIN bus b
    LEFT JOIN read_offset o ON o.bus = b.id AND o.topic = t.name AND o.partition = p.partition
    WHERE t.name IN ('leat.commands', 'leat.reports', 'leat.events'));
