/* Made by schema/gen.py from schema/queries; do not edit. */

#pragma once

enum query_id {
    QUERY_API_STATUS, /* api.sql */
    QUERY_API_CATALOG_RAISE, /* api.sql */
    QUERY_API_CATALOG_NOTIFY, /* api.sql */
    QUERY_API_VERSION_PUT, /* api.sql */
    QUERY_API_PIPELINE_PUT, /* api.sql */
    QUERY_API_SOURCE_PUT, /* api.sql */
    QUERY_API_VERSION_IR, /* api.sql */
    QUERY_API_LIMIT_PUT, /* api.sql */
    QUERY_API_LIMIT_COMPARE, /* api.sql */
    QUERY_API_LIMIT_NAMES, /* api.sql */
    QUERY_API_LIMITS, /* api.sql */
    QUERY_API_LIMIT, /* api.sql */
    QUERY_API_LIMIT_REMOVE, /* api.sql */
    QUERY_API_PIPELINE_COMPARE, /* api.sql */
    QUERY_API_SOURCE_COMPARE, /* api.sql */
    QUERY_API_PIPELINES, /* api.sql */
    QUERY_API_PIPELINE, /* api.sql */
    QUERY_API_PIPELINE_MOVE, /* api.sql */
    QUERY_API_TRIGGER_MOVE, /* api.sql */
    QUERY_API_TRIGGERS, /* api.sql */
    QUERY_API_EXPERIMENTS, /* api.sql */
    QUERY_API_RUNS, /* api.sql */
    QUERY_API_RUN_BETWEEN, /* api.sql */
    QUERY_API_RUN_LATEST, /* api.sql */
    QUERY_API_RUN, /* api.sql */
    QUERY_API_LIVE_STEPS, /* api.sql */
    QUERY_API_LIVE, /* api.sql */
    QUERY_API_RUN_BRIEF, /* api.sql */
    QUERY_API_LOG_OF, /* api.sql */
    QUERY_API_ARTIFACTS, /* api.sql */
    QUERY_API_ARTIFACT, /* api.sql */
    QUERY_API_IDEMPOTENCY, /* api.sql */
    QUERY_API_COMMAND_DONE, /* api.sql */
    QUERY_API_EVENTS, /* api.sql */
    QUERY_API_EVENT, /* api.sql */
    QUERY_API_EVENT_ENVELOPE, /* api.sql */
    QUERY_API_WORKERS, /* api.sql */
    QUERY_API_WORKER_BRIEF, /* api.sql */
    QUERY_API_WORKER_REMOVED, /* api.sql */
    QUERY_API_TOKEN_PUT, /* api.sql */
    QUERY_API_TOKENS, /* api.sql */
    QUERY_API_TOKEN_REVOKE, /* api.sql */
    QUERY_API_JOIN_TOKEN, /* api.sql */
    QUERY_API_JOIN, /* api.sql */
    QUERY_API_SOURCES, /* api.sql */
    QUERY_API_SECRETS, /* api.sql */
    QUERY_API_SECRET_PUT, /* api.sql */
    QUERY_API_SECRET_REMOVE, /* api.sql */
    QUERY_API_ATTEMPT_SECRETS, /* api.sql */
    QUERY_API_ATTEMPT_BUCKET, /* api.sql */
    QUERY_API_ATTEMPT_LIST, /* api.sql */
    QUERY_API_ATTEMPT_RUN, /* api.sql */
    QUERY_API_RUN_CAUSE, /* api.sql */
    QUERY_API_TOKEN, /* api.sql */
    QUERY_BUS_ID, /* bus.sql */
    QUERY_BUS_TOPIC_MAKE, /* bus.sql */
    QUERY_BUS_PRODUCER_LOCK, /* bus.sql */
    QUERY_BUS_PRODUCER_HOLDER, /* bus.sql */
    QUERY_BUS_TOPIC_LOCK, /* bus.sql */
    QUERY_BUS_PARTITION_MAKE, /* bus.sql */
    QUERY_BUS_PARTITION_OF, /* bus.sql */
    QUERY_BUS_APPEND, /* bus.sql */
    QUERY_BUS_ENDS, /* bus.sql */
    QUERY_BUS_LOOK, /* bus.sql */
    QUERY_BUS_READ, /* bus.sql */
    QUERY_BUS_TRIM, /* bus.sql */
    QUERY_BUS_RECORD_AT, /* bus.sql */
    QUERY_DOCTOR_SERVER, /* doctor.sql */
    QUERY_DOCTOR_CLOCK, /* doctor.sql */
    QUERY_DOCTOR_TABLES, /* doctor.sql */
    QUERY_DOCTOR_BUS, /* doctor.sql */
    QUERY_MIGRATIONS_APPLIED, /* pg.sql */
    QUERY_MIGRATION_RECORD, /* pg.sql */
    QUERY_CATALOG_LISTEN, /* pg.sql */
    QUERY_LEADER_LOOK, /* scheduler.sql */
    QUERY_LEADER_TERMINATE, /* scheduler.sql */
    QUERY_LEADER_TAKE, /* scheduler.sql */
    QUERY_LEADER_BACKEND, /* scheduler.sql */
    QUERY_LEADER_BEAT, /* scheduler.sql */
    QUERY_LOCK_TIMEOUT_NONE, /* scheduler.sql */
    QUERY_LEADER_PROBE, /* scheduler.sql */
    QUERY_BATCH_FENCE, /* scheduler.sql */
    QUERY_BATCH_INBOX, /* scheduler.sql */
    QUERY_BATCH_EVENTS, /* scheduler.sql */
    QUERY_BATCH_RUNS, /* scheduler.sql */
    QUERY_BATCH_RUN_MOVES, /* scheduler.sql */
    QUERY_BATCH_RUN_ENDS, /* scheduler.sql */
    QUERY_BATCH_STEPS, /* scheduler.sql */
    QUERY_BATCH_RESULTS, /* scheduler.sql */
    QUERY_BATCH_ATTEMPTS, /* scheduler.sql */
    QUERY_BATCH_STARTS, /* scheduler.sql */
    QUERY_BATCH_GROUPS, /* scheduler.sql */
    QUERY_BATCH_FINALLYS, /* scheduler.sql */
    QUERY_BATCH_CACHED, /* scheduler.sql */
    QUERY_BATCH_WORKERS, /* scheduler.sql */
    QUERY_BATCH_COMMANDS, /* scheduler.sql */
    QUERY_BATCH_NUMBERS, /* scheduler.sql */
    QUERY_BATCH_TOMBSTONES, /* scheduler.sql */
    QUERY_BATCH_OFFSETS, /* scheduler.sql */
    QUERY_LOAD_LEADER, /* scheduler.sql */
    QUERY_LOAD_VERSIONS, /* scheduler.sql */
    QUERY_LOAD_PIPELINES, /* scheduler.sql */
    QUERY_LOAD_RUNS, /* scheduler.sql */
    QUERY_LOAD_ADOPTED_RUNS, /* scheduler.sql */
    QUERY_LOAD_ADOPTED_RESULTS, /* scheduler.sql */
    QUERY_LOAD_ADOPTED_GROUPS, /* scheduler.sql */
    QUERY_LOAD_STEPS, /* scheduler.sql */
    QUERY_LOAD_RESULTS, /* scheduler.sql */
    QUERY_LOAD_LIMITS, /* scheduler.sql */
    QUERY_LOAD_STARTS, /* scheduler.sql */
    QUERY_LOAD_GROUPS, /* scheduler.sql */
    QUERY_LOAD_FINALLYS, /* scheduler.sql */
    QUERY_LOAD_WORKERS, /* scheduler.sql */
    QUERY_LOAD_OFFSETS, /* scheduler.sql */
    QUERY_FETCH_SEEN, /* scheduler.sql */
    QUERY_FETCH_CATALOG_GEN, /* scheduler.sql */
    QUERY_FETCH_VERSIONS, /* scheduler.sql */
    QUERY_FETCH_RUNS, /* scheduler.sql */
    QUERY_FETCH_RESULTS, /* scheduler.sql */
    QUERY_FETCH_GROUPS, /* scheduler.sql */
    QUERY_FETCH_CACHED, /* scheduler.sql */
    QUERY_KEEP_PARTITIONS, /* scheduler.sql */
    QUERY_KEEP_HISTORY, /* scheduler.sql */
    QUERY_KEEP_REST, /* scheduler.sql */
    QUERY_KEEP_INBOX, /* scheduler.sql */
    QUERY_KEEP_CACHED, /* scheduler.sql */
    QUERY_KEEP_TOMBSTONES, /* scheduler.sql */
    QUERY_KEEP_IDEMPOTENCY, /* scheduler.sql */
    QUERY_KEEP_COMMANDS, /* scheduler.sql */
    QUERY_KEEP_STARTS, /* scheduler.sql */
    QUERY_TRIGGERS_SOURCES, /* triggers.sql */
    QUERY_TRIGGERS_CRONS, /* triggers.sql */
    QUERY_TRIGGERS_CRON_DONE, /* triggers.sql */
    QUERY_TRIGGERS_OBJECTS, /* triggers.sql */
    QUERY_TRIGGERS_OBJECT_ANNOUNCED, /* triggers.sql */
    QUERY_TRIGGERS_OBJECT_GONE, /* triggers.sql */
    QUERY_TRIGGERS_S3_BEGIN, /* triggers.sql */
    QUERY_TRIGGERS_S3_ANNOUNCED, /* triggers.sql */
    QUERY_TRIGGERS_S3_SINCE, /* triggers.sql */
    QUERY_TRIGGERS_S3_MISSED, /* triggers.sql */
    QUERY_TRIGGERS_S3_FORGET, /* triggers.sql */
    QUERY_TRIGGERS_TOPIC_OFFSETS, /* triggers.sql */
    QUERY_TRIGGERS_TOPIC_KEEP, /* triggers.sql */
    QUERY_COUNT
};

struct query {
    const char *name;
    const char *text;
    int nparams;
};

extern const struct query QUERIES[];
