#include "worker/attempt/lists.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/ir/ir.h"
#include "common/store/manifest.h"
#include "common/store/store.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

#define AT_ONCE      16 /* entries on their way; the loop's threads take as many as they are */
#define AWAY_US      (2 * US_PER_S)    /* between two tries of an API that is away */
#define AWAY_MOST_US (3600 * US_PER_S) /* then the attempt fails */
#define DEPTH        (IR_DEPTH_MAX + 1)

struct entry {
    char *path;
    const char *artifact; /* borrowed from the list */
    bool folder;
};

struct laying {
    struct attempt *attempt;
    const struct order_input *in;
    const char *path;
    inputs_done *done;
    void *arg;
    json_t *list; /* a reference */
    struct entry *entries;
    size_t count, cap, next;
    int busy;
    bool failed;
    struct err err;
    /* While the API is asked for the list: */
    int64_t asked_us;
    struct loop_timer again;
};

static void end(struct laying *l)
{
    inputs_done *done = l->done;
    void *arg = l->arg;
    const struct err err = l->err;
    for (size_t i = 0; i < l->count; i++)
        free(l->entries[i].path);
    free(l->entries);
    json_decref(l->list);
    loop_timer_stop(&l->again);
    free(l);
    done(arg, err.code ? &err : NULL);
}

/* ---- the entries ---------------------------------------------------------------------------- */

static int add_element(struct laying *l, const json_t *element, char *path, struct err *err)
{
    const char *artifact = json_get_string(element, "artifact", NULL);
    if (!artifact || !store_hash_ok(artifact))
        return err_set(err, LEAT_EINPUT, "%s is no artifact", path);
    if (l->count >= MANIFEST_ENTRIES)
        return err_set(err, LEAT_ELIMIT, "over %d artifacts", MANIFEST_ENTRIES);
    MEM_ROOM(l->entries, l->count, l->cap);
    l->entries[l->count++] =
        (struct entry){mem_string(path), artifact, json_get_bool(element, "folder", false)};
    return 0;
}

/* Folders are made on the way: there are few. */
static int add_list(struct laying *l, const json_t *list, const char *path, int depth,
                    struct err *err)
{
    size_t i;
    json_t *element;
    if (depth > DEPTH)
        return err_set(err, LEAT_ELIMIT, "over %d lists around one another", DEPTH);
    int rc = folder_make(path, 0755, err);
    json_array_foreach (list, i, element) {
        cleanup_free char *below = mem_printf("%s/%zu", path, i);
        if (rc == 0 && json_is_array(element))
            rc = add_list(l, element, below, depth + 1, err);
        else if (rc == 0 && !json_is_null(element))
            rc = add_element(l, element, below, err);
    }
    return rc;
}

static void go_on(struct laying *l);

static void got(void *arg, const struct store_object *object, const struct err *err)
{
    (void)object;
    struct laying *l = arg;
    l->busy--;
    if (err && !l->failed) {
        l->failed = true;
        l->err = *err;
    }
    go_on(l);
}

static void go_on(struct laying *l)
{
    struct store *store = l->attempt->worker->store;
    while (!l->failed && !l->attempt->asked && l->busy < AT_ONCE && l->next < l->count) {
        const struct entry *e = &l->entries[l->next++];
        l->busy++;
        if (e->folder)
            store_get_folder(store, e->artifact, e->path, got, l);
        else
            store_get_file(store, e->artifact, e->path, 0, got, l);
    }
    if (l->busy == 0)
        end(l);
}

static void lay_out(struct laying *l)
{
    l->failed = add_list(l, l->list, l->path, 0, &l->err) != 0;
    go_on(l);
}

/* ---- a list that is too long for an order --------------------------------------------------- */

static void ask(void *arg);

static int take_list(struct laying *l, const struct http_incoming *answer, struct err *err)
{
    static const struct json_limits limits = {.depth = DEPTH + 2, .bytes = LISTS_BYTES};
    if (answer->status != 200)
        return err_set(err, answer->status >= 500 ? LEAT_EUNREACHABLE : LEAT_EREFUSED,
                       "the API answered %d", answer->status);
    l->list = json_read(answer->body, answer->len, &limits, err);
    if (!l->list)
        return err->code;
    return json_is_array(l->list) ? 0 : err_set(err, LEAT_EINPUT, "it is no list");
}

static void answered(void *arg, const struct http_incoming *answer, const struct err *failed)
{
    struct laying *l = arg;
    struct err err = {0};
    if (failed)
        err = *failed;
    else if (take_list(l, answer, &err) == 0) {
        lay_out(l);
        return;
    }
    if (err.code == LEAT_EUNREACHABLE && !l->attempt->asked &&
        clock_monotonic_us() - l->asked_us < AWAY_MOST_US) {
        loop_timer_start(l->attempt->worker->loop, &l->again, AWAY_US, 0, ask, l);
        return;
    }
    l->err = err;
    err_wrap(&l->err, "its list could not be fetched");
    end(l);
}

static void ask(void *arg)
{
    struct laying *l = arg;
    const struct worker *w = l->attempt->worker;
    const struct order_list *of = l->in->of;
    cleanup_text struct text url = {0};
    cleanup_free char *authorization = w->token ? mem_printf("Bearer %s", w->token) : NULL;
    const struct http_header headers[] = {{authorization ? "Authorization" : NULL, authorization},
                                          {0}};
    text_printf(&url, "%s/api/v1/workers/", w->config->api);
    url_escape(&url, w->id, strlen(w->id), NULL);
    text_printf(&url, "/attempts/%s/lists/%lld/%lld/", l->attempt->id_text, (long long)of->step,
                (long long)of->iteration);
    url_escape(&url, of->output, strlen(of->output), NULL);
    const struct http_outgoing call = {
        .url = url.data, .headers = headers, .max_answer = LISTS_BYTES};
    http_send(w->http, &call, answered, l);
    if (authorization)
        mem_wipe(authorization, strlen(authorization));
}

void lists_lay_out(struct attempt *a, const struct order_input *in, const char *path,
                   inputs_done *done, void *arg)
{
    struct laying *l = mem_alloc(sizeof *l);
    *l = (struct laying){.attempt = a,
                         .in = in,
                         .path = path,
                         .done = done,
                         .arg = arg,
                         .list = json_incref(in->list),
                         .asked_us = clock_monotonic_us()};
    if (l->list) {
        lay_out(l);
    } else if (a->worker->config->api) {
        ask(l);
    } else {
        err_set(&l->err, LEAT_EREFUSED,
                "its list is at the API, and this worker has none (setting: api)");
        end(l);
    }
}
