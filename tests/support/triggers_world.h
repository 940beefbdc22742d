/* tests/support/triggers_world.h: leat-triggers' parts on a real Postgres and a real HTTP server,
 * with a queue in memory that a test can take away and count. Uses cmocka's asserts. */
#pragma once
#include <stdint.h>
#include "common/http/server.h"
#include "schema/gen/messages.h"
#include "tests/support/bus_memory.h"
#include "tests/support/folder.h"
#include "tests/support/postgres.h"
#include "triggers/triggers.h"

#define WORLD_SECRET "s3cr3t"

struct triggers_world {
    struct triggers t;
    struct test_database db;
    struct memory_log *queue;
    struct http_server *server;
    char dir[FOLDER_PATH];
    int changes; /* readings of the catalog */
};

void world_open(struct triggers_world *w);
void world_close(struct triggers_world *w);
/* The process ends and begins again: what it knew is gone, Postgres, folders and queue stay. */
void world_restart(struct triggers_world *w);

/* A source as `leat apply` leaves it; `secret` names one whose value is WORLD_SECRET, NULL = none.
 * world_read makes it known (as a notice would); without it the next unknown name does. */
void world_source(struct triggers_world *w, const char *name, const char *provider,
                  const char *config, const char *secret);
void world_read(struct triggers_world *w);
void world_sql(struct triggers_world *w, const char *sql);

int world_events(const struct triggers_world *w); /* on the queue by now */
/* Runs the loop until the statement's first value is that. */
void world_until_sql(struct triggers_world *w, const char *sql, int64_t value);
bool world_until_events(struct triggers_world *w, int least);    /* or it gives up     */
struct event world_event(const struct triggers_world *w, int n); /* event_clear it */
/* BUCKETS/BUCKET/NAME */
void world_path(const struct triggers_world *w, const char *bucket, const char *name,
                char out[256]);
