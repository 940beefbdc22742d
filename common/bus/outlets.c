#include "common/bus/outlets.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

struct outlet *outlets_find(const struct outlets *o, const char *topic)
{
    struct outlet *found = NULL;
    HASH_FIND_STR(o->all, topic, found);
    return found;
}

struct outlet *outlets_add(struct outlets *o, const char *topic)
{
    struct outlet *outlet = outlets_find(o, topic);
    if (outlet)
        return outlet;
    outlet = mem_alloc(sizeof *outlet);
    snprintf(outlet->name, sizeof outlet->name, "%s", topic);
    HASH_ADD_STR(o->all, name, outlet);
    return outlet;
}

struct outlet *outlets_by_id(const struct outlets *o, int32_t topic)
{
    for (struct outlet *outlet = o->all; outlet; outlet = outlet->hh.next)
        if (outlet->known && outlet->topic == topic)
            return outlet;
    return NULL;
}

void outlets_forget(struct outlets *o)
{
    for (struct outlet *outlet = o->all; outlet; outlet = outlet->hh.next)
        outlet->known = false;
}

void outlets_free(struct outlets *o)
{
    struct outlet *outlet, *next;
    HASH_ITER (hh, o->all, outlet, next) {
        HASH_DEL(o->all, outlet);
        free(outlet);
    }
}

/* ---- asking --------------------------------------------------------------------------------- */

struct asking {
    struct outlet *outlet;
    outlet_done *done;
    void *arg;
    bool topic_found;
    bool made;
};

static void topic_locked(void *arg, const struct pg_answer *answer)
{
    struct asking *a = arg;
    a->topic_found = pg_row_count(answer->rows) > 0;
}

static void partition_made(void *arg, const struct pg_answer *answer)
{
    struct asking *a = arg;
    a->made = pg_affected(answer->rows) > 0;
}

static void partition_read(void *arg, const struct pg_answer *answer)
{
    cleanup_free struct asking *a = arg;
    struct outlet *outlet = a->outlet;
    struct err none = {0};
    outlet->asked = false;
    if (answer->err) {
        a->done(a->arg, outlet, answer->err, false);
        return;
    }
    if (!a->topic_found || pg_row_count(answer->rows) == 0) {
        err_set(&none, LEAT_ENOTFOUND, "there is no topic %s yet", outlet->name);
        a->done(a->arg, outlet, &none, false);
        return;
    }
    outlet->known = true;
    outlet->topic = (int32_t)pg_int(answer->rows, 0, 0);
    outlet->partition = (int32_t)pg_int(answer->rows, 0, 1);
    outlet->next = pg_int(answer->rows, 0, 2);
    a->done(a->arg, outlet, NULL, a->made);
}

void outlets_ask(const struct outlets *o, struct pg *pg, struct outlet *outlet, outlet_done *done,
                 void *arg)
{
    cleanup_pg_params struct pg_params p = {0};
    struct asking *a = mem_alloc(sizeof *a);
    *a = (struct asking){.outlet = outlet, .done = done, .arg = arg};
    outlet->asked = true;
    pg_add_text(&p, outlet->name);
    pg_exec(pg, QUERY_BUS_TOPIC_LOCK, &p, topic_locked, a);
    pg_add_text(&p, outlet->name);
    pg_add_text(&p, o->producer);
    pg_exec(pg, QUERY_BUS_PARTITION_MAKE, &p, partition_made, a);
    pg_add_text(&p, outlet->name);
    pg_add_text(&p, o->producer);
    pg_call(pg, QUERY_BUS_PARTITION_OF, &p, partition_read, a);
}

/* ---- appending ------------------------------------------------------------------------------ */

void append_params(struct pg_params *p, const struct outlet *const *outlets, const int64_t *counts,
                   size_t outlet_count, const struct append_record *records, size_t record_count)
{
    pg_array_begin(p, PG_INT4);
    for (size_t i = 0; i < outlet_count; i++)
        pg_add_int4(p, outlets[i]->topic);
    pg_array_end(p);
    pg_array_begin(p, PG_INT4);
    for (size_t i = 0; i < outlet_count; i++)
        pg_add_int4(p, outlets[i]->partition);
    pg_array_end(p);
    pg_array_begin(p, PG_INT8);
    for (size_t i = 0; i < outlet_count; i++)
        pg_add_int8(p, counts[i]);
    pg_array_end(p);
    pg_array_begin(p, PG_INT4);
    for (size_t i = 0; i < record_count; i++)
        pg_add_int4(p, records[i].outlet->topic);
    pg_array_end(p);
    pg_array_begin(p, PG_INT8);
    for (size_t i = 0; i < record_count; i++)
        pg_add_int8(p, records[i].number);
    pg_array_end(p);
    pg_array_begin(p, PG_BYTEA);
    for (size_t i = 0; i < record_count; i++)
        pg_add_bytea(p, records[i].key, records[i].key_len);
    pg_array_end(p);
    pg_array_begin(p, PG_BYTEA);
    for (size_t i = 0; i < record_count; i++)
        pg_add_bytea(p, records[i].value ? records[i].value : "", records[i].len);
    pg_array_end(p);
}
