/* common/bus/embedded.h: the embedded backend of bus.h, an append-only log in Postgres.
 *
 * A producer has a stable name and one partition a topic, made at its first publish there. While
 * it publishes it holds a session advisory lock on the name, so that nobody queues on a row: a
 * second producer of that name waits, and after `lock_wait_us` its publishes are answered
 * LEAT_EREFUSED. After a lost connection an append that was under way is looked up before anything
 * else is written, so that it is neither lost nor doubled. */
#pragma once
#include "common/base/loop.h"
#include "common/bus/bus.h"

struct embedded_options {
    const char *conninfo;  /* as in pg.h */
    const char *name;      /* application_name of its connections */
    const char *producer;  /* NULL: this bus only reads (publish gives LEAT_EREFUSED) */
    const char *doorbells; /* folder of the sockets that wake readers, made when missing; NULL:
                              readers look once a second only */
    bool sync_commit_off;  /* publishes do not wait for the disk (a worker's reports) */
    int64_t look_us;       /* readers look without being woken; 0 = 1 s */
    int64_t lock_wait_us;  /* 0 = 3 s */
};

/* Never blocks; connects by itself. Copies the options. */
struct bus *embedded_open(struct loop *loop, const struct embedded_options *options);

/* Producer of the outbox: its partitions are written by the leader's transaction alone (its row is
 * the lock), by the query outbox_append. */
#define EMBEDDED_LEADER "leader"
