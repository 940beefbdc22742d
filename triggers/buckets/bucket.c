#include "triggers/buckets/bucket.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/store.h"
#include "common/text/json.h"
#include "triggers/buckets/internal.h"
#include "triggers/catalog.h"

#define AGAIN_US (5 * US_PER_S)

struct buckets {
    struct triggers *triggers;
    struct bucket *first;
};

/* ---- names and versions ------------------------------------------------------------------ */

bool bucket_key_ok(const char *key)
{
    if (!store_name_ok(key) || text_starts_with(key, BUCKET_TEMPORARY))
        return false;
    return strstr(key, "/" BUCKET_TEMPORARY) == NULL;
}

void bucket_version(const struct stat *st, char out[BUCKET_VERSION_TEXT])
{
    const int64_t mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    snprintf(out, BUCKET_VERSION_TEXT, "%" PRId64 "-%" PRIu64 "-%" PRId64, mtime_ns,
             (uint64_t)st->st_ino, (int64_t)st->st_size);
}

const char *bucket_root(const struct bucket *bucket)
{
    return bucket->root;
}

const char *bucket_source(const struct bucket *bucket)
{
    return bucket->source;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void forget_known(struct bucket *b, struct known *k)
{
    HASH_DEL(b->known, k);
    free(k);
}

void bucket_release(struct bucket *b)
{
    if (--b->open > 0 || !b->closed)
        return;
    struct known *k, *next;
    HASH_ITER (hh, b->known, k, next) {
        forget_known(b, k);
    }
    free(b->name);
    free(b->source);
    free(b->root);
    free(b);
}

static void close_bucket(struct bucket *b)
{
    loop_timer_stop(&b->again);
    watch_close(TAKE(b->watch));
    b->closed = true;
    b->open++;
    bucket_release(b);
}

static struct known *remember(struct bucket *b, const char *key, const char *version, int64_t size)
{
    struct known *k;
    HASH_FIND_STR(b->known, key, k);
    if (!k) {
        k = mem_alloc(sizeof *k + strlen(key) + 1);
        memcpy(k->key, key, strlen(key) + 1);
        HASH_ADD_STR(b->known, key, k);
    }
    snprintf(k->version, sizeof k->version, "%s", version);
    k->size = size;
    return k;
}

static void load_known(void *arg);

static void objects_loaded(void *arg, const struct pg_answer *answer)
{
    struct bucket *b = arg;
    if (b->closed) {
        bucket_release(b);
        return;
    }
    if (answer->err)
        loop_timer_start(b->triggers->loop, &b->again, AGAIN_US, 0, load_known, b);
    for (size_t i = 0; i < pg_row_count(answer->rows); i++) {
        struct known *k;
        const char *key = pg_text(answer->rows, i, 0);
        HASH_FIND_STR(b->known, key, k);
        if (!k) /* an upload may have been quicker */
            remember(b, key, pg_text(answer->rows, i, 1), pg_int(answer->rows, i, 2));
    }
    b->loaded = !answer->err;
    if (b->loaded)
        bucket_scan(b);
    bucket_release(b);
}

/* What was announced must be known before a scan compares. */
static void load_known(void *arg)
{
    struct bucket *b = arg;
    struct pg_params params = {0};
    pg_add_text(&params, b->name);
    b->open++;
    pg_call(b->triggers->pg, QUERY_TRIGGERS_OBJECTS, &params, objects_loaded, b);
    pg_params_free(&params);
}

static void scan_later(void *arg)
{
    bucket_scan(arg);
}

/* What uploads left that a death cut short: no upload can be under way in a bucket that opens. */
static void remove_temporary(const struct bucket *b)
{
    DIR *dir = opendir(b->root);
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        if (text_starts_with(e->d_name, BUCKET_TEMPORARY))
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
}

static void open_bucket(struct buckets *all, const char *name, const char *source)
{
    struct err err = {0};
    struct bucket *b = mem_alloc(sizeof *b);
    b->triggers = all->triggers;
    b->name = mem_string(name);
    b->source = mem_string(source);
    b->root = mem_printf("%s/%s", all->triggers->config.buckets, name);
    if ((mkdir(b->root, 0750) != 0 && errno != EEXIST) ||
        watch_open(b, b->triggers->loop, &b->watch, &err) < 0)
        log_error("a bucket cannot be watched", LOG_S("bucket", name), LOG_S("folder", b->root),
                  LOG_ERR(&err));
    remove_temporary(b);
    b->next = all->first;
    all->first = b;
    load_known(b);
}

int buckets_open(struct triggers *t, struct buckets **out, struct err *err)
{
    if (mkdir(t->config.buckets, 0750) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", t->config.buckets);
    *out = mem_alloc(sizeof **out);
    (*out)->triggers = t;
    return 0;
}

void buckets_close(struct buckets *all)
{
    if (!all)
        return;
    while (all->first) {
        struct bucket *b = all->first;
        all->first = b->next;
        close_bucket(b);
    }
    free(all);
}

struct bucket *buckets_find(struct buckets *all, const char *name)
{
    for (struct bucket *b = all->first; b; b = b->next)
        if (strcmp(b->name, name) == 0)
            return b;
    return NULL;
}

static const char *declared_bucket(const struct source *s)
{
    return s->provider == SOURCE_DIRECTORY ? json_get_string(s->config, "bucket", s->name) : NULL;
}

static bool is_declared(const struct catalog *c, const struct bucket *b)
{
    for (size_t i = 0; i < catalog_count(c); i++) {
        const char *name = declared_bucket(catalog_at(c, i));
        if (name && strcmp(name, b->name) == 0 && strcmp(catalog_at(c, i)->name, b->source) == 0)
            return true;
    }
    return false;
}

void buckets_follow(struct buckets *all)
{
    const struct catalog *c = all->triggers->catalog;
    for (struct bucket **at = &all->first; *at;) {
        struct bucket *b = *at;
        if (is_declared(c, b)) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        close_bucket(b);
    }
    for (size_t i = 0; i < catalog_count(c); i++) {
        const char *name = declared_bucket(catalog_at(c, i));
        if (name && bucket_key_ok(name) && !buckets_find(all, name))
            open_bucket(all, name, catalog_at(c, i)->name);
    }
}

/* ---- announcements ------------------------------------------------------------------------- */

struct announcement {
    struct bucket *bucket;
    char *key;
    char version[BUCKET_VERSION_TEXT];
    int64_t size;
    bool gone;
    published_fn *done;
    void *arg;
};

static void keep_announced(struct announcement *a)
{
    struct pg_params params = {0};
    pg_add_text(&params, a->bucket->name);
    pg_add_text(&params, a->key);
    pg_add_text(&params, a->version);
    if (!a->gone)
        pg_add_int8(&params, a->size);
    /* Not kept = announced again by a later scan, with the same id: the inbox drops it. */
    pg_call(a->bucket->triggers->pg,
            a->gone ? QUERY_TRIGGERS_OBJECT_GONE : QUERY_TRIGGERS_OBJECT_ANNOUNCED, &params, NULL,
            NULL);
    pg_params_free(&params);
}

static void make_up(struct announcement *a)
{
    struct bucket *b = a->bucket;
    struct known *k;
    HASH_FIND_STR(b->known, a->key, k);
    if (a->gone && !k)
        remember(b, a->key, a->version, a->size);
    if (!a->gone && k && strcmp(k->version, a->version) == 0)
        forget_known(b, k);
    metric_add(&TRIGGER_METRIC[TRIGGER_METRIC_OVERFLOW], 1);
    if (!b->closed && !loop_timer_armed(&b->again))
        loop_timer_start(b->triggers->loop, &b->again, AGAIN_US, 0, scan_later, b);
}

static void announced(void *arg, const struct uuid *id, const struct err *err)
{
    struct announcement *a = arg;
    if (err)
        make_up(a);
    else
        keep_announced(a);
    if (a->done)
        a->done(a->arg, id, err);
    bucket_release(a->bucket);
    free(a->key);
    free(a);
}

static json_t *describe(const struct announcement *a)
{
    return json_pack("{s:s, s:{s:s, s:s, s:I, s:s}}", "bucket", a->bucket->name, "object", "key",
                     a->key, "version", a->version, "size", (json_int_t)a->size, "etag",
                     a->version);
}

static void announce(struct announcement *a)
{
    struct bucket *b = a->bucket;
    cleanup_json json_t *data = describe(a);
    cleanup_free char *origin = mem_printf("/buckets/%s", b->name);
    struct text delivery = {0};
    text_append(&delivery, b->name, strlen(b->name) + 1);
    text_append(&delivery, a->key, strlen(a->key) + 1);
    text_puts(&delivery, a->version);
    if (a->gone)
        text_puts(&delivery, "-deleted");
    const struct draft draft = {
        .source = b->source,
        .origin = origin,
        .type = a->gone ? "dev.leat.object.deleted" : "dev.leat.object.created",
        .subject = a->key,
        .delivery = delivery.data,
        .delivery_len = delivery.len,
        .data = data,
    };
    b->open++;
    publish_event(b->triggers, &draft, announced, a);
    text_free(&delivery);
}

static struct announcement *draft_of(struct bucket *b, const char *key)
{
    struct announcement *a = mem_alloc(sizeof *a);
    a->bucket = b;
    a->key = mem_string(key);
    return a;
}

void bucket_seen(struct bucket *b, const char *key, const struct stat *st, published_fn *done,
                 void *arg)
{
    char version[BUCKET_VERSION_TEXT];
    struct known *k;
    bucket_version(st, version);
    HASH_FIND_STR(b->known, key, k);
    if (k)
        k->marked = true;
    if (k && !done && strcmp(k->version, version) == 0)
        return;
    struct announcement *a = draft_of(b, key);
    memcpy(a->version, version, sizeof version);
    a->size = st->st_size;
    a->done = done;
    a->arg = arg;
    remember(b, key, version, a->size)->marked = true;
    announce(a);
}

void bucket_gone(struct bucket *b, const char *key)
{
    struct known *k;
    HASH_FIND_STR(b->known, key, k);
    if (!k)
        return;
    struct announcement *a = draft_of(b, key);
    memcpy(a->version, k->version, sizeof a->version);
    a->size = k->size;
    a->gone = true;
    forget_known(b, k);
    announce(a);
}
