/* scheduler/shell/db_pg.h: db.h on Postgres. Two connections: one commits batches and is the
 * backend recorded in the leader row; the other looks, beats and keeps house. */
#pragma once
#include <stdbool.h>
#include "common/base/loop.h"
#include "scheduler/shell/db.h"

struct db_pg_options {
    const char *conninfo;  /* as in common/pg/pg.h */
    const char *name;      /* application_name */
    bool outbox_elsewhere; /* the queue is not in Postgres: it gets the messages after the commit */
    int64_t most_runs, most_pipelines, most_workers; /* as core.h says; in the leader's row, for
                                                        others and for what is refused by it */
};

/* Never blocks; connects by itself and again after a loss. Copies the options. */
struct db *db_pg_open(struct loop *loop, const struct db_pg_options *options);
