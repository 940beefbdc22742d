/* The objects executor: pins an object set of a bucket, a folder's or an S3 service's. The bucket
 * is listed on a thread; each object is copied by its hash into the store, read stably (it must be
 * the same before and after); the manifest is left where the attempt's output is expected. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/store/store.h"
#include "common/text/json.h"
#include "worker/attempt/files.h"
#include "worker/executor/bucket.h"
#include "worker/executor/bucket_s3.h"
#include "worker/executor/executor.h"

#define AT_ONCE      4
#define CHANGES_MOST 5 /* of one object while it is read */
#define CHANGED_US   (200 * US_PER_MS)
#define AWAY_US      (2 * US_PER_S)    /* between two tries of a service that is away */
#define AWAY_MOST_US (3600 * US_PER_S) /* then the attempt fails */

struct objects_executor {
    struct executor base;
    struct executor_owner owner;
    struct store *store;
    char *buckets; /* NULL = none */
    struct executor_api api;
    struct pin *pins;
    bool telling, closed;
};

/* One attempt. */
struct pin {
    struct objects_executor *ex;
    struct uuid attempt;
    struct pin *next;
    char *bucket, *prefix, *suffix, *key, *version, *manifest_path, *folder;
    struct bucket_list list;
    struct bucket_s3 *remote; /* NULL = a folder */
    struct http_transfer *asking;
    struct loop_timer later; /* the service, or the API, is away */
    int64_t away_us;         /* since when; 0 = it is not */
    size_t begun;            /* objects */
    int busy;
    bool failed, cancelled, timed_out;
    struct err err;
    int64_t started_us;
    struct loop_timer timeout;
};

/* One object on its way. */
struct copy {
    struct pin *pin;
    size_t index;
    char *path;
    struct stat before;
    struct err err; /* of the fetch from S3 */
    int changes;
    struct loop_timer again;
};

/* ---- the end
 * ------------------------------------------------------------------------------------- */

static void pin_free(struct pin *p)
{
    bucket_list_free(&p->list);
    bucket_s3_close(p->remote);
    loop_timer_stop(&p->timeout);
    loop_timer_stop(&p->later);
    if (p->asking)
        http_cancel(p->asking);
    char *const texts[] = {p->bucket,  p->prefix,        p->suffix, p->key,
                           p->version, p->manifest_path, p->folder};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(p);
}

static void unlink_pin(struct pin *p)
{
    struct pin **at = &p->ex->pins;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

static void leave_manifest(struct pin *p)
{
    cleanup_free char *manifest = bucket_manifest(p->bucket, &p->list);
    if (file_write(p->manifest_path, manifest, strlen(manifest), 0644, &p->err) != 0)
        p->failed = true;
}

static void end(struct pin *p)
{
    struct objects_executor *o = p->ex;
    const bool stopped = p->cancelled || p->timed_out;
    if (!p->failed && !stopped)
        leave_manifest(p);
    unlink_pin(p);
    const struct executor_exit exit = {
        .exit_code = p->failed || stopped ? 1 : 0,
        .timed_out = p->timed_out,
        .cancelled = p->cancelled && !p->timed_out,
        .started_us = p->started_us,
        .finished_us = clock_wall_us(),
        .reason = p->failed ? p->err.text : "",
    };
    o->owner.events->exited(o->owner.arg, &p->attempt, &exit);
    pin_free(p);
}

/* ---- copying
 * ------------------------------------------------------------------------------------- */

static void go_on(struct pin *p);
static void put(void *arg);

static void copy_done(struct copy *c, const struct err *err)
{
    struct pin *p = c->pin;
    if (err && !p->failed) {
        p->failed = true;
        p->err = *err;
        err_wrap(&p->err, "object %.200s", p->list.objects[c->index].key);
    }
    loop_timer_stop(&c->again);
    free(c->path);
    free(c);
    p->busy--;
    go_on(p);
}

static void changed(struct copy *c)
{
    if (++c->changes < CHANGES_MOST) {
        loop_timer_start(c->pin->ex->owner.loop, &c->again, CHANGED_US, 0, put, c);
        return;
    }
    struct err err = {0};
    err_set(&err, LEAT_EREFUSED, "it changed each time it was read");
    copy_done(c, &err);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void stored(void *arg, const struct store_object *object, const struct err *err)
{
    struct copy *c = arg;
    struct stat after;
    if (err && err->code != LEAT_ENOTFOUND) {
        copy_done(c, err);
        return;
    }
    if (err || lstat(c->path, &after) != 0 || !same(&c->before, &after)) {
        changed(c);
        return;
    }
    struct bucket_object *o = &c->pin->list.objects[c->index];
    bucket_version(&after, o->version);
    memcpy(o->sha256, object->hash, sizeof o->sha256);
    o->size = after.st_size;
    o->modified_us = after.st_mtim.tv_sec * US_PER_S + after.st_mtim.tv_nsec / 1000;
    copy_done(c, NULL);
}

/* The one that the order names, where it names a version. */
static int check_version(const struct copy *c, struct err *err)
{
    char version[BUCKET_VERSION];
    bucket_version(&c->before, version);
    if (!c->pin->version || strcmp(c->pin->version, version) == 0)
        return 0;
    return err_set(err, LEAT_ENOTFOUND, "version %.72s is no longer in bucket %.100s, it is now %s",
                   c->pin->version, c->pin->bucket, version);
}

/* ---- from S3: fetched beside the manifest, moved into the store ---- */

static void remote_stored(void *arg, const struct store_object *object, const struct err *err)
{
    struct copy *c = arg;
    if (err)
        unlink(c->path);
    else
        memcpy(c->pin->list.objects[c->index].sha256, object->hash, SHA256_HEX);
    copy_done(c, err);
}

static void fetch(void *arg)
{
    struct copy *c = arg;
    struct pin *p = c->pin;
    struct bucket_object *o = &p->list.objects[c->index];
    c->err = (struct err){0};
    int rc = 0;
    if (c->changes > 0) { /* another one is there: that one, unless the order names it */
        struct bucket_list now = {0};
        rc = bucket_s3_look(p->remote, o->key, p->version, &now, &c->err);
        if (rc == 0) {
            memcpy(o->version, now.objects[0].version, sizeof o->version);
            o->modified_us = now.objects[0].modified_us;
        }
        bucket_list_free(&now);
    }
    if (rc == 0)
        (void)bucket_s3_fetch(p->remote, o, c->path, &c->err);
}

static bool is_away(struct pin *p, const struct err *err)
{
    const int64_t now = clock_monotonic_us();
    if (err->code != LEAT_EUNREACHABLE) {
        p->away_us = 0;
        return false;
    }
    p->away_us = p->away_us ? p->away_us : now;
    return now - p->away_us < AWAY_MOST_US;
}

static void fetched(void *arg)
{
    struct copy *c = arg;
    if (is_away(c->pin, &c->err))
        loop_timer_start(c->pin->ex->owner.loop, &c->again, AWAY_US, 0, put, c);
    else if (c->err.code == LEAT_EEXISTS)
        changed(c);
    else if (c->err.code)
        copy_done(c, &c->err);
    else
        store_put_file(c->pin->ex->store, c->path, STORE_MOVE, remote_stored, c);
}

static void put(void *arg)
{
    struct copy *c = arg;
    struct err err = {0};
    if (c->pin->failed || c->pin->cancelled || c->pin->timed_out) {
        copy_done(c, NULL);
        return;
    }
    if (c->pin->remote) {
        loop_work(c->pin->ex->owner.loop, fetch, fetched, c);
        return;
    }
    if (lstat(c->path, &c->before) != 0)
        err_set(&err, LEAT_ENOTFOUND, "it is not in bucket %.100s", c->pin->bucket);
    else if (!S_ISREG(c->before.st_mode))
        err_set(&err, LEAT_EINPUT, "it is not a regular file");
    else if (check_version(c, &err) == 0) {
        store_put_file(c->pin->ex->store, c->path, 0, stored, c);
        return;
    }
    copy_done(c, &err);
}

static void go_on(struct pin *p)
{
    const bool stopped = p->failed || p->cancelled || p->timed_out;
    while (!stopped && p->busy < AT_ONCE && p->begun < p->list.count) {
        struct copy *c = mem_alloc(sizeof *c);
        c->pin = p;
        c->index = p->begun++;
        c->path = p->remote ? mem_printf("%s.%zu", p->manifest_path, c->index)
                            : mem_printf("%s/%s", p->folder, p->list.objects[c->index].key);
        p->busy++;
        loop_timer_start(p->ex->owner.loop, &c->again, 0, 0, put, c); /* not from inside */
    }
    if (p->busy == 0)
        end(p);
}

/* ---- listing
 * ------------------------------------------------------------------------------------- */

static void list(void *arg)
{
    struct pin *p = arg;
    struct stat st;
    p->err = (struct err){0};
    if (p->remote && p->key)
        p->failed = bucket_s3_look(p->remote, p->key, p->version, &p->list, &p->err) != 0;
    else if (p->remote)
        p->failed = bucket_s3_list(p->remote, p->prefix, p->suffix, &p->list, &p->err) != 0;
    else if (stat(p->folder, &st) != 0 && errno == ENOENT)
        p->failed = err_set(&p->err, LEAT_ENOTFOUND, "there is no bucket %.100s", p->bucket) != 0;
    else if (p->key)
        bucket_add(&p->list, p->key);
    else if (bucket_scan(p->folder, p->prefix, p->suffix, &p->list, &p->err) != 0)
        p->failed = true;
}

static void listed(void *arg);

static void list_again(void *arg)
{
    struct pin *p = arg;
    if (p->cancelled || p->timed_out)
        go_on(p);
    else
        loop_work(p->ex->owner.loop, list, listed, p);
}

static void listed(void *arg)
{
    struct pin *p = arg;
    if (!is_away(p, &p->err)) {
        go_on(p);
        return;
    }
    bucket_list_free(&p->list);
    p->failed = false;
    loop_timer_start(p->ex->owner.loop, &p->later, AWAY_US, 0, list_again, p);
}

/* ---- a bucket that is no folder: leat-api knows the source that has it ---- */

static void ask(void *arg);

static int take_place(struct pin *p, const struct http_incoming *answer, struct err *err)
{
    if (answer->status == 404)
        return err_set(err, LEAT_ENOTFOUND,
                       "there is no bucket %.100s: neither a folder of this worker's buckets nor "
                       "in a source with credentials",
                       p->bucket);
    if (answer->status != 200)
        return err_set(err, answer->status >= 500 ? LEAT_EUNREACHABLE : LEAT_EREFUSED,
                       "the API answered %d to where bucket %.100s is", answer->status, p->bucket);
    cleanup_json json_t *where = json_read(answer->body, answer->len, NULL, err);
    return where ? bucket_s3_open(where, &p->remote, err) : err->code;
}

static void place_told(void *arg, const struct http_incoming *answer, const struct err *failed)
{
    struct pin *p = arg;
    p->asking = NULL;
    p->err = failed ? *failed : (struct err){0};
    if (!failed)
        (void)take_place(p, answer, &p->err);
    if (p->err.code == 0 || p->cancelled || p->timed_out)
        list_again(p);
    else if (is_away(p, &p->err))
        loop_timer_start(p->ex->owner.loop, &p->later, AWAY_US, 0, ask, p);
    else {
        p->failed = true;
        go_on(p);
    }
}

static void ask(void *arg)
{
    struct pin *p = arg;
    const struct executor_api *api = &p->ex->api;
    cleanup_text struct text url = {0};
    char id[UUID_TEXT];
    cleanup_free char *authorization = api->token ? mem_printf("Bearer %s", api->token) : NULL;
    const struct http_header headers[] = {{authorization ? "Authorization" : NULL, authorization},
                                          {0}};
    uuid_format(&p->attempt, id);
    text_printf(&url, "%s/api/v1/workers/", api->url);
    url_escape(&url, api->worker, strlen(api->worker), NULL);
    text_printf(&url, "/attempts/%s/buckets/", id);
    url_escape(&url, p->bucket, strlen(p->bucket), NULL);
    const struct http_outgoing call = {.url = url.data, .headers = headers, .max_answer = 1 << 20};
    p->asking = http_send(api->http, &call, place_told, p);
    if (authorization)
        mem_wipe(authorization, strlen(authorization));
}

static void time_out(void *arg)
{
    struct pin *p = arg;
    p->timed_out = true;
}

static int check(const struct objects_executor *o, const struct executor_objects *objects,
                 struct err *err)
{
    if (!o->buckets && !o->api.http)
        return err_set(err, LEAT_EREFUSED, "this worker has no buckets (setting: buckets)");
    if (!file_name_ok(objects->bucket) || objects->bucket[0] == '.')
        return err_set(err, LEAT_EINPUT, "'%.100s' cannot be the name of a bucket",
                       objects->bucket);
    if (objects->key && !store_name_ok(objects->key))
        return err_set(err, LEAT_EINPUT, "'%.200s' cannot be the key of an object", objects->key);
    return 0;
}

static int objects_start(struct executor *ex, const struct executor_spec *spec, struct err *err)
{
    struct objects_executor *o = (struct objects_executor *)ex;
    const struct executor_objects *objects = spec->objects;
    if (check(o, objects, err) != 0)
        return err->code;
    struct pin *p = mem_alloc(sizeof *p);
    *p = (struct pin){
        .ex = o,
        .attempt = spec->attempt,
        .next = o->pins,
        .bucket = mem_string(objects->bucket),
        .prefix = mem_string(objects->prefix),
        .suffix = mem_string(objects->suffix),
        .key = mem_string(objects->key),
        .version = mem_string(objects->version),
        .manifest_path = mem_string(objects->manifest_path),
        .folder = o->buckets ? mem_printf("%s/%s", o->buckets, objects->bucket) : NULL,
        .started_us = clock_wall_us(),
    };
    o->pins = p;
    if (spec->timeout_us > 0)
        loop_timer_start(o->owner.loop, &p->timeout, spec->timeout_us, 0, time_out, p);
    if (o->api.http && (!p->folder || access(p->folder, F_OK) != 0))
        ask(p);
    else
        loop_work(o->owner.loop, list, listed, p);
    return 0;
}

/* What is on its way into the store is waited for: it harms nobody there. */
static void objects_stop(struct executor *ex, const struct uuid *attempt, int64_t grace_us)
{
    (void)grace_us;
    for (struct pin *p = ((struct objects_executor *)ex)->pins; p; p = p->next)
        if (uuid_compare(&p->attempt, attempt) == 0)
            p->cancelled = true;
}

/* ---- the rest
 * ------------------------------------------------------------------------------------ */

static void objects_lease(struct executor *ex, int64_t end_us)
{
    (void)ex;
    (void)end_us;
}

/* What an earlier life had begun ended with it. */
static bool objects_adopt(struct executor *ex, const struct executor_spec *spec)
{
    (void)ex;
    (void)spec;
    return false;
}

static void objects_settle(struct executor *ex)
{
    (void)ex;
}

static void objects_forget(struct executor *ex, const struct uuid *attempt)
{
    (void)ex;
    (void)attempt;
}

static void objects_close(struct executor *ex)
{
    struct objects_executor *o = (struct objects_executor *)ex;
    free(o->buckets);
    o->closed = true;
    if (!o->telling)
        free(o);
}

static void ready(void *arg)
{
    struct objects_executor *o = arg;
    o->telling = false;
    if (o->closed)
        free(o);
    else
        o->owner.events->ready(o->owner.arg, &o->base);
}

struct executor *objects_executor_open(const struct executor_owner *owner, const char *buckets,
                                       struct store *store, const struct executor_api *api)
{
    static const struct executor_ops ops = {
        .name = "objects",
        .start = objects_start,
        .stop = objects_stop,
        .lease = objects_lease,
        .adopt = objects_adopt,
        .settle = objects_settle,
        .forget = objects_forget,
        .close = objects_close,
    };
    struct objects_executor *o = mem_alloc(sizeof *o);
    o->base.ops = &ops;
    o->owner = *owner;
    o->store = store;
    o->buckets = mem_string(buckets);
    o->api = api ? *api : (struct executor_api){0};
    o->telling = true;
    loop_defer(owner->loop, ready, o);
    return &o->base;
}
