/* common/bus/outlets.h: where one producer of the embedded bus writes: its partition of each topic,
 * looked up (and made) once a connection. Used by the bus's own producer and by the leader's
 * transaction. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "common/bus/bus.h"
#include "common/pg/pg.h"

struct outlet {
    char name[BUS_TOPIC_MAX]; /* of the topic */
    bool known;               /* the three below are true of the present connection */
    bool asked;
    int32_t topic;
    int32_t partition;
    int64_t next;
    void *of; /* the owner's */
    UT_hash_handle hh;
};

struct outlets {
    const char *producer; /* borrowed */
    struct outlet *all;
};

struct outlet *outlets_find(const struct outlets *o, const char *topic); /* NULL: never added */
struct outlet *outlets_add(struct outlets *o, const char *topic);        /* or finds it */
struct outlet *outlets_by_id(const struct outlets *o, int32_t topic);
void outlets_forget(struct outlets *o); /* the connection is gone: nothing is known */
void outlets_free(struct outlets *o);

/* Asks for the partition, making it when it is missing. LEAT_ENOTFOUND: no such topic. `made`: it
 * is new, readers should be told. The outlet must live until `done`. */
typedef void outlet_done(void *arg, struct outlet *outlet, const struct err *err, bool made);
void outlets_ask(const struct outlets *o, struct pg *pg, struct outlet *outlet, outlet_done *done,
                 void *arg);

/* ---- the append statement: QUERY_BUS_APPEND ------------------------------------------------- */
struct append_record {
    const struct outlet *outlet;
    int64_t number;  /* from 0 within its outlet and this statement */
    const void *key; /* NULL = none */
    size_t key_len;
    const void *value;
    size_t len;
};
/* One `counts` for each of `outlets`. */
void append_params(struct pg_params *p, const struct outlet *const *outlets, const int64_t *counts,
                   size_t outlet_count, const struct append_record *records, size_t record_count);
