/* Made by schema/gen.py from schema/queries; do not edit. */

#pragma once

enum query_id {
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
    QUERY_MIGRATIONS_APPLIED, /* pg.sql */
    QUERY_MIGRATION_RECORD, /* pg.sql */
    QUERY_CATALOG_LISTEN, /* pg.sql */
    QUERY_TRIGGERS_SOURCES, /* triggers.sql */
    QUERY_TRIGGERS_CRONS, /* triggers.sql */
    QUERY_TRIGGERS_CRON_DONE, /* triggers.sql */
    QUERY_TRIGGERS_OBJECTS, /* triggers.sql */
    QUERY_TRIGGERS_OBJECT_ANNOUNCED, /* triggers.sql */
    QUERY_TRIGGERS_OBJECT_GONE, /* triggers.sql */
    QUERY_COUNT
};

struct query {
    const char *name;
    const char *text;
    int nparams;
};

extern const struct query QUERIES[];
