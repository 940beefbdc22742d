#include "triggers/s3/look.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/s3/s3.h"
#include "common/text/json.h"
#include "triggers/s3/announce.h"

#define SETTLED_US (10 * US_PER_S) /* a notification may take so long */
#define SKEW_US    (2 * US_PER_S)  /* between Postgres' clock and the service's */
#define PIECE      5000            /* keys compared at once */
#define LEAST_US   (1 * US_PER_S)

struct entry {
    char *key, *version, *etag;
    int64_t size, modified_us;
    bool deleted;
};

/* One source that looks. */
struct look {
    struct looks *all;
    struct look *next;
    char *source;
    enum source_provider provider;
    json_t *config;    /* as it was when it was opened: */
    char *credentials; /* changed = another look */
    struct s3 *s3;
    struct loop_timer timer;
    int64_t every_us;
    bool closed;
    int open; /* callbacks to come */
    bool away;

    /* The look under way. */
    int64_t since_us, began_us;
    struct entry *entries;
    size_t count, cap;
    size_t at; /* next to be compared */
    struct err err;
};

struct looks {
    struct triggers *triggers;
    struct look *first;
};

/* ---- life ------------------------------------------------------------------------------------ */

static void drop_entries(struct look *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->entries[i].key);
        free(l->entries[i].version);
        free(l->entries[i].etag);
    }
    free(l->entries);
    l->entries = NULL;
    l->count = l->cap = l->at = 0;
}

static void release(struct look *l)
{
    if (--l->open > 0 || !l->closed)
        return;
    drop_entries(l);
    s3_close(l->s3);
    if (l->credentials)
        mem_wipe(l->credentials, strlen(l->credentials));
    free(l->credentials);
    json_decref(l->config);
    free(l->source);
    free(l);
}

static void close_look(struct look *l)
{
    loop_timer_stop(&l->timer);
    l->closed = true;
    l->open++;
    release(l);
}

static void look(void *arg);

static void look_later(struct look *l)
{
    drop_entries(l);
    if (!l->closed)
        loop_timer_start(l->all->triggers->loop, &l->timer, l->every_us, 0, look, l);
}

/* One warning when it goes, one line when it is back. */
static void tell(struct look *l)
{
    const bool away = l->err.code != 0;
    if (away && !l->away)
        log_warn("a bucket cannot be looked at", LOG_S("source", l->source), LOG_ERR(&l->err));
    if (!away && l->away)
        log_info("a bucket is looked at again", LOG_S("source", l->source));
    l->away = away;
}

static enum s3_vendor vendor_of(enum source_provider provider)
{
    return provider == SOURCE_MINIO ? S3_MINIO : S3_AWS;
}

/* ---- what was missed ------------------------------------------------------------------------- */

static void compare(struct look *l);

static void announced(void *arg, const struct uuid *id, const struct err *err)
{
    struct look *l = arg;
    (void)id;
    if (err)
        log_warn("what a look found was not taken; the next one does it again",
                 LOG_S("source", l->source), LOG_ERR(err));
    release(l);
}

static int compare_key(const void *key, const void *entry)
{
    return strcmp(key, ((const struct entry *)entry)->key);
}

/* Row: key, etag, size, at, gone, delivery. */
static void announce_row(struct look *l, const struct source *source, const struct pg_rows *rows,
                         size_t row)
{
    const char *key = pg_text(rows, row, 0), *delivery = pg_text_or_null(rows, row, 5);
    const struct entry *e =
        l->count ? bsearch(key, l->entries, l->count, sizeof *l->entries, compare_key) : NULL;
    const bool gone = pg_bool(rows, row, 4);
    const bool marked = e && e->deleted == gone;
    struct s3_notice n = {
        .vendor = vendor_of(source->provider),
        .deleted = gone,
        .bucket = mem_string(s3_bucket(l->s3)),
        .key = mem_string(key),
        .version = mem_string(marked ? e->version : ""),
        .etag = mem_string(gone ? "" : pg_text(rows, row, 1)),
        .sequencer = mem_string(""),
        .size = gone ? -1 : pg_int(rows, row, 2),
        .time_us = pg_time(rows, row, 3),
        .modified_us = gone ? 0 : pg_time(rows, row, 3),
    };
    l->open++;
    metric_add(&TRIGGER_METRIC[TRIGGER_METRIC_MISSED], 1);
    s3_announce(l->all->triggers, source, &n, true, delivery, announced, l);
    s3_notice_free(&n);
}

static void compared(void *arg, const struct pg_answer *answer)
{
    struct look *l = arg;
    const struct source *source = catalog_find(l->all->triggers->catalog, l->source);
    if (answer->err || l->closed || !source) {
        if (answer->err)
            l->err = *answer->err;
        tell(l);
        look_later(l);
        release(l);
        return;
    }
    for (size_t i = 0; i < pg_row_count(answer->rows); i++)
        announce_row(l, source, answer->rows, i);
    if (l->at < l->count) {
        compare(l);
    } else {
        tell(l);
        look_later(l);
    }
    release(l);
}

static void add_piece(const struct look *l, struct pg_params *p, size_t from, size_t to)
{
    pg_array_begin(p, PG_TEXT);
    for (size_t i = from; i < to; i++)
        pg_add_text(p, l->entries[i].key);
    pg_array_end(p);
    pg_array_begin(p, PG_TEXT);
    for (size_t i = from; i < to; i++)
        pg_add_text(p, l->entries[i].etag);
    pg_array_end(p);
    pg_array_begin(p, PG_INT8);
    for (size_t i = from; i < to; i++)
        pg_add_int8(p, l->entries[i].size);
    pg_array_end(p);
    pg_array_begin(p, PG_TIMESTAMPTZ);
    for (size_t i = from; i < to; i++)
        pg_add_time(p, l->entries[i].modified_us);
    pg_array_end(p);
    pg_array_begin(p, PG_BOOL);
    for (size_t i = from; i < to; i++)
        pg_add_bool(p, l->entries[i].deleted);
    pg_array_end(p);
}

/* The next piece; the last one goes to the end of all keys. */
static void compare(struct look *l)
{
    struct pg_params params = {0};
    const size_t from = l->at, to = l->count - from > PIECE ? from + PIECE : l->count;
    pg_add_text(&params, l->source);
    pg_add_text(&params, from > 0 ? l->entries[from - 1].key : NULL);
    pg_add_text(&params, to < l->count ? l->entries[to - 1].key : NULL);
    add_piece(l, &params, from, to);
    pg_add_time(&params, l->began_us - SETTLED_US);
    pg_add_time(&params, l->since_us - SKEW_US);
    pg_add_int8(&params, s3_apart_us(vendor_of(l->provider)));
    l->at = to;
    l->open++;
    pg_call(l->all->triggers->pg, QUERY_TRIGGERS_S3_MISSED, &params, compared, l);
    pg_params_free(&params);
}

/* ---- the listing, on a thread ---------------------------------------------------------------- */

static bool take(void *arg, const struct s3_object *object)
{
    struct look *l = arg;
    const char *suffix = json_get_string(l->config, "suffix", "");
    if (!text_ends_with(object->key, suffix))
        return true;
    if (l->count == LOOK_OBJECTS) {
        err_set(&l->err, LEAT_ELIMIT,
                "it has over %d objects: give the source a prefix, or rely on notifications",
                LOOK_OBJECTS);
        return false;
    }
    MEM_ROOM(l->entries, l->count, l->cap);
    l->entries[l->count++] = (struct entry){
        .key = mem_string(object->key),
        .version = mem_string(object->version),
        .etag = mem_string(object->etag),
        .size = object->size,
        .modified_us = object->modified_us,
        .deleted = object->deleted,
    };
    return true;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static void list(void *arg)
{
    struct look *l = arg;
    const char *prefix = json_get_string(l->config, "prefix", "");
    l->err = (struct err){0};
    l->began_us = clock_wall_us();
    int rc = s3_list(l->s3, prefix, true, take, l, &l->err);
    if (rc == LEAT_EREFUSED || rc == LEAT_EINPUT) { /* it knows no versions */
        drop_entries(l);
        l->err = (struct err){0};
        (void)s3_list(l->s3, prefix, false, take, l, &l->err);
    }
    if (l->count > 0)
        qsort(l->entries, l->count, sizeof *l->entries, by_key);
}

static void listed(void *arg)
{
    struct look *l = arg;
    if (l->err.code || l->closed) {
        tell(l);
        look_later(l);
    } else {
        compare(l);
    }
    release(l);
}

static void since_known(void *arg, const struct pg_answer *answer)
{
    struct look *l = arg;
    if (answer->err || l->closed) {
        look_later(l);
        release(l);
        return;
    }
    l->since_us = pg_time(answer->rows, 0, 0);
    loop_work(l->all->triggers->loop, list, listed, l);
}

static void look(void *arg)
{
    struct look *l = arg;
    struct pg_params params = {0}, where = {0};
    pg_add_text(&params, l->source);
    pg_add_text(&where, l->source);
    cleanup_free char *place = mem_printf(
        "%s %s %s %s", json_get_string(l->config, "endpoint", ""), s3_bucket(l->s3),
        json_get_string(l->config, "prefix", ""), json_get_string(l->config, "suffix", ""));
    pg_add_text(&where, place);
    l->open++;
    pg_call(l->all->triggers->pg, QUERY_TRIGGERS_S3_FORGET, &params, NULL, NULL);
    pg_call(l->all->triggers->pg, QUERY_TRIGGERS_S3_SINCE, &where, since_known, l);
    pg_params_free(&params);
    pg_params_free(&where);
}

/* ---- following the catalog ------------------------------------------------------------------- */

static enum s3_style style_of(const char *name)
{
    for (int i = 0; S3_STYLES[i]; i++)
        if (strcmp(S3_STYLES[i], name) == 0)
            return (enum s3_style)i;
    return S3_AUTO;
}

static bool wanted(const struct source *s)
{
    return (s->provider == SOURCE_S3 || s->provider == SOURCE_MINIO) && s3_looks(s) &&
           s->credentials;
}

static bool same(const struct look *l, const struct source *s)
{
    return strcmp(l->source, s->name) == 0 && l->provider == s->provider &&
           json_equal(l->config, s->config) &&
           secret_equal(l->credentials, strlen(l->credentials), s->credentials,
                        strlen(s->credentials));
}

static void open_look(struct looks *all, const struct source *s)
{
    struct err err = {0};
    struct s3 *s3 = NULL;
    const struct s3_settings settings = {
        .bucket = json_get_string(s->config, "bucket", ""),
        .endpoint = json_get_string(s->config, "endpoint", NULL),
        .region = json_get_string(s->config, "region", NULL),
        .style = style_of(json_get_string(s->config, "style", "auto")),
        .credentials_text = s->credentials,
    };
    if (s3_open(&settings, &s3, &err) < 0)
        log_error("a bucket cannot be looked at", LOG_S("source", s->name), LOG_ERR(&err));
    struct look *l = mem_alloc(sizeof *l);
    l->all = all;
    l->source = mem_string(s->name);
    l->provider = s->provider;
    l->config = json_deep_copy(s->config);
    l->credentials = mem_string(s->credentials);
    l->s3 = s3;
    if (!text_to_duration(json_get_string(s->config, "look", "60s"), &l->every_us) ||
        l->every_us < LEAST_US)
        l->every_us = LEAST_US;
    l->next = all->first;
    all->first = l;
    if (s3)
        look(l);
}

static bool is_wanted(const struct looks *all, const struct look *l)
{
    const struct source *s = catalog_find(all->triggers->catalog, l->source);
    return s && wanted(s) && same(l, s);
}

static bool is_open(const struct looks *all, const struct source *s)
{
    for (const struct look *l = all->first; l; l = l->next)
        if (strcmp(l->source, s->name) == 0)
            return true;
    return false;
}

void looks_follow(struct looks *all)
{
    const struct catalog *c = all->triggers->catalog;
    for (struct look **at = &all->first; *at;) {
        struct look *l = *at;
        if (is_wanted(all, l)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        close_look(l);
    }
    for (size_t i = 0; i < catalog_count(c); i++)
        if (wanted(catalog_at(c, i)) && !is_open(all, catalog_at(c, i)))
            open_look(all, catalog_at(c, i));
}

struct looks *looks_open(struct triggers *t)
{
    struct looks *all = mem_alloc(sizeof *all);
    all->triggers = t;
    return all;
}

void looks_close(struct looks *all)
{
    while (all && all->first) {
        struct look *l = all->first;
        all->first = l->next;
        close_look(l);
    }
    free(all);
}
