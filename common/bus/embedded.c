#include "common/bus/embedded.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/bus/embedded_internal.h"

#define ANSWER_TIMEOUT_US (20 * US_PER_S)

static struct embedded *self(struct bus *bus)
{
    return (struct embedded *)bus;
}

void embedded_hold(struct embedded *e)
{
    e->refs++;
}

void embedded_release(struct embedded *e)
{
    if (--e->refs > 0)
        return;
    doorbells_close(e->bells);
    outlets_free(&e->producer.outlets);
    free((char *)(uintptr_t)e->options.conninfo);
    free((char *)(uintptr_t)e->options.name);
    free((char *)(uintptr_t)e->options.producer);
    free(e);
}

void embedded_ring(struct embedded *e, const char *topic, char what)
{
    if (e->bells)
        doorbells_ring(e->bells, topic, what);
}

static void ring(struct bus *bus, const char *topic)
{
    embedded_ring(self(bus), topic, DOORBELL_RECORDS);
}

/* ---- topics --------------------------------------------------------------------------------- */

struct making {
    struct embedded *e;
    bus_done *done;
    void *arg;
    char (*names)[BUS_TOPIC_MAX];
    size_t count;
};

static void topics_made(void *arg, const struct pg_answer *answer)
{
    struct making *m = arg;
    if (!answer->err && pg_affected(answer->rows) > 0)
        for (size_t i = 0; i < m->count; i++)
            embedded_ring(m->e, m->names[i], DOORBELL_PARTITION);
    m->done(m->arg, answer->err);
    free(m->names);
    free(m);
}

static void topics_make(struct bus *bus, const struct bus_topic *topics, size_t n, bus_done *done,
                        void *arg)
{
    struct embedded *e = self(bus);
    struct making *m = mem_alloc(sizeof *m);
    *m = (struct making){.e = e, .done = done, .arg = arg, .count = n};
    m->names = mem_array(n, sizeof *m->names);
    cleanup_pg_params struct pg_params p = {0};
    pg_array_begin(&p, PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        memcpy(m->names[i], topics[i].name, strnlen(topics[i].name, BUS_TOPIC_MAX - 1));
        pg_add_text(&p, m->names[i]);
    }
    pg_array_end(&p);
    pg_call(e->writes, QUERY_BUS_TOPIC_MAKE, &p, topics_made, m);
}

/* ---- ends ----------------------------------------------------------------------------------- */

struct ending {
    bus_ends *done;
    void *arg;
};

static void ends_read(void *arg, const struct pg_answer *answer)
{
    cleanup_free struct ending *ending = arg;
    const size_t n = pg_row_count(answer->rows);
    cleanup_free struct bus_position *ends = mem_array(n, sizeof *ends);
    for (size_t i = 0; i < n; i++) {
        const char *topic = pg_text(answer->rows, i, 0);
        memcpy(ends[i].topic, topic, strnlen(topic, BUS_TOPIC_MAX - 1));
        ends[i].partition = (int32_t)pg_int(answer->rows, i, 1);
        ends[i].offset = pg_int(answer->rows, i, 2);
    }
    ending->done(ending->arg, answer->err, ends, n);
}

static void ends(struct bus *bus, const char *const *topics, size_t n, bus_ends *done, void *arg)
{
    struct ending *ending = mem_alloc(sizeof *ending);
    *ending = (struct ending){.done = done, .arg = arg};
    cleanup_pg_params struct pg_params p = {0};
    pg_array_begin(&p, PG_TEXT);
    for (size_t i = 0; i < n; i++)
        pg_add_text(&p, topics[i]);
    pg_array_end(&p);
    pg_call(self(bus)->writes, QUERY_BUS_ENDS, &p, ends_read, ending);
}

/* ---- trim ----------------------------------------------------------------------------------- */

struct trimming {
    struct embedded *e;
    struct bus_position below;
    bus_done *done;
    void *arg;
};

static void trim_piece(struct trimming *t);

static void piece_trimmed(void *arg, const struct pg_answer *answer)
{
    struct trimming *t = arg;
    const bool more =
        pg_row_count(answer->rows) > 0 && pg_int(answer->rows, 0, 0) < t->below.offset;
    if (more && !t->e->closed) {
        trim_piece(t);
        return;
    }
    cleanup_free struct trimming *gone = t;
    gone->done(gone->arg, answer->err);
}

static void trim_piece(struct trimming *t)
{
    cleanup_pg_params struct pg_params p = {0};
    pg_add_text(&p, t->below.topic);
    pg_add_int4(&p, t->below.partition);
    pg_add_int8(&p, t->below.offset);
    pg_call(t->e->writes, QUERY_BUS_TRIM, &p, piece_trimmed, t);
}

static void trim(struct bus *bus, const char *topic, int32_t partition, int64_t offset,
                 bus_done *done, void *arg)
{
    struct trimming *t = mem_alloc(sizeof *t);
    t->e = self(bus);
    t->done = done;
    t->arg = arg;
    t->below.partition = partition;
    t->below.offset = offset;
    memcpy(t->below.topic, topic, strnlen(topic, BUS_TOPIC_MAX - 1));
    trim_piece(t);
}

/* ---- which bus it is ------------------------------------------------------------------------ */
static void id_read(void *arg, const struct pg_answer *answer)
{
    struct embedded *e = arg;
    e->id_asked = false;
    if (answer->err || pg_row_count(answer->rows) == 0)
        return;
    const struct uuid id = pg_uuid(answer->rows, 0, 0);
    if (e->id_known && uuid_compare(&id, &e->id) != 0)
        log_error("the bus is another one than before: its database was replaced; restart Leat");
    e->id = id;
    e->id_known = true;
}

static void ask_id(struct embedded *e)
{
    if (e->id_asked || !pg_is_up(e->writes))
        return;
    e->id_asked = true;
    pg_call(e->writes, QUERY_BUS_ID, NULL, id_read, e);
}

/* Not known at the first connection of all, before the leader has made the tables: asked again. */
static const struct uuid *bus_id(struct bus *bus)
{
    struct embedded *e = self(bus);
    if (!e->id_known)
        ask_id(e);
    return e->id_known ? &e->id : NULL;
}

/* ---- the object ----------------------------------------------------------------------------- */

static void writes_up(void *arg)
{
    struct embedded *e = arg;
    ask_id(e);
    producer_up(e);
}

static void writes_down(void *arg, const struct err *err)
{
    struct embedded *e = arg;
    (void)err;
    producer_down(e);
}

/* Answers may free the object: it is held until the last has been given. */
static void close_bus(struct bus *bus)
{
    if (!bus)
        return;
    struct embedded *e = self(bus);
    e->closed = true;
    pg_close(e->writes); /* stays usable for callbacks until it returns */
    producer_close(e);
    pg_close(e->reads);
    e->writes = e->reads = NULL;
    embedded_release(e);
}

static const struct bus_ops embedded_ops = {
    .backend = "embedded",
    .outbox_in_transaction = true,
    .id = bus_id,
    .topics_make = topics_make,
    .publish = producer_publish,
    .ends = ends,
    .ring = ring,
    .trim = trim,
    .reader_open = reader_open,
    .assign = reader_assign,
    .pause = reader_pause,
    .reader_close = reader_close,
    .close = close_bus,
};

static void copy_options(struct embedded *e, const struct embedded_options *options)
{
    e->options = *options;
    e->options.conninfo = mem_string(options->conninfo);
    e->options.name = mem_string(options->name ? options->name : "leat");
    e->options.producer = mem_string(options->producer);
    e->options.doorbells = NULL; /* used at once */
    if (!e->options.look_us)
        e->options.look_us = US_PER_S;
    if (!e->options.lock_wait_us)
        e->options.lock_wait_us = 3 * US_PER_S;
}

struct bus *embedded_open(struct loop *loop, const struct embedded_options *options)
{
    struct embedded *e = mem_alloc(sizeof *e);
    struct err err = {0};
    e->base.ops = &embedded_ops;
    e->loop = loop;
    e->refs = 1;
    copy_options(e, options);
    e->producer.outlets.producer = e->options.producer;
    if (options->doorbells)
        e->bells = doorbells_open(options->doorbells, &err);
    if (err.code)
        log_warn("no doorbells: readers look once a second", LOG_ERR(&err));
    const struct pg_options settings = {.conninfo = e->options.conninfo,
                                        .name = e->options.name,
                                        .answer_timeout_us = ANSWER_TIMEOUT_US,
                                        .generic_plans = true,
                                        .sync_commit_off = e->options.sync_commit_off};
    const struct pg_events events = {.up = writes_up, .down = writes_down};
    e->writes = pg_open(loop, &settings, &events, e);
    return &e->base;
}
