#include "cli/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <uthash.h>

#include "cli/client.h"
#include "cli/stream.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/states.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define PATIENCE_US (60 * US_PER_S) /* as that of a stream */
#define LOOK_US     (500 * US_PER_MS)

static int get_run(const char *run, json_t **out, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s", run);
    return client_call("GET", path, NULL, out, err);
}

/* The same, again while the API is away or says `too`. */
static int await_run(const char *run, int too, json_t **out, struct err *err)
{
    const int64_t until = clock_monotonic_us() + PATIENCE_US;
    for (;;) {
        struct err why = {0};
        const int rc = get_run(run, out, &why);
        if (rc >= 0)
            return rc;
        if ((rc != too && rc != LEAT_EUNREACHABLE) || clock_monotonic_us() > until)
            return err_set(err, rc, "%s", why.text);
        usleep(LOOK_US);
    }
}

/* ---- printing ------------------------------------------------------------------------------- */

/* The step's name before each line; *in_line: the last byte printed was not a line's end. */
static void print_piece(const char *name, bool *in_line, const char *data, size_t len)
{
    if (!name) {
        fwrite(data, 1, len, stdout);
        return;
    }
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        const size_t n = end ? (size_t)(end - data) + 1 : len;
        if (!*in_line)
            printf("[%s] ", name);
        fwrite(data, 1, n, stdout);
        *in_line = end == NULL;
        data += n;
        len -= n;
    }
}

/* ---- what is there -------------------------------------------------------------------------- */

/* *gone: the store has no more of it, though there was more. */
static int print_log(const char *run, const char *step, const char *attempt, bool named, bool *gone,
                     struct err *err)
{
    bool in_line = false, complete = false;
    int64_t offset = 0;
    for (size_t got = 1; got > 0 && !complete;) {
        char from[24];
        struct http_incoming in = {0};
        snprintf(from, sizeof from, "%lld", (long long)offset);
        cleanup_free char *path =
            attempt ? client_path("/api/v1/runs/%s/logs/%s?offset=%s&attempt=%s", run, step, from,
                                  attempt)
                    : client_path("/api/v1/runs/%s/logs/%s?offset=%s", run, step, from);
        const int rc = client_raw("GET", path, NULL, 0, &in, err);
        if (rc < 0)
            return rc;
        const char *whole = http_incoming_header(&in, "Leat-Log-Complete");
        *gone = http_incoming_header(&in, "Leat-Log-Gone") != NULL;
        print_piece(named ? step : NULL, &in_line, in.body, in.len);
        got = in.len;
        offset += (int64_t)got;
        complete = whole && strcmp(whole, "true") == 0;
        http_incoming_free(&in);
    }
    return 0;
}

/* Built-in steps write no logs. */
static bool has_log(const json_t *step)
{
    return strcmp(json_get_string(step, "kind", ""), "run") == 0;
}

static bool is_wanted(const json_t *step, const char *only)
{
    return only ? strcmp(only, json_get_string(step, "name", "")) == 0 : has_log(step);
}

/* Nothing ran here, so there is nothing to print: says where it did. */
static void say_cached(const json_t *step)
{
    const char *from = json_get_string(step, "cached_from", NULL);
    if (from)
        fprintf(stderr, "%s: cached from %s, `leat logs %s` has what it said\n",
                json_get_string(step, "name", ""), from, from);
}

static void say_gone(const json_t *step)
{
    const char *name = json_get_string(step, "name", "");
    const char *reason = json_get_string(step, "reason", "");
    if (text_starts_with(reason, "adopted from "))
        fprintf(stderr, "%s: %s, and its log is no longer kept\n", name, reason);
    else
        fprintf(stderr, "leat: the log of %s is incomplete: the store does not give all of it\n",
                name);
}

/* With an attempt and without a step: of those steps that have it. */
static int print_logs(const json_t *run, const char *only, const char *attempt, bool named,
                      struct err *err)
{
    const char *id = json_get_string(run, "id", "");
    const json_t *step;
    size_t i, told = 0;
    int rc = 0;
    json_array_foreach (json_get_array(run, "steps"), i, step) {
        const char *name = json_get_string(step, "name", "");
        if (rc < 0 || !is_wanted(step, only))
            continue;
        struct err own = {0};
        bool gone = false;
        rc = print_log(id, name, attempt, named, &gone, &own);
        told += rc == 0;
        if (rc == LEAT_ENOTFOUND && attempt && !only)
            rc = 0;
        else if (rc < 0)
            *err = own;
        if (rc == 0 && gone)
            say_gone(step);
        say_cached(step);
    }
    return rc == 0 && attempt && told == 0
               ? err_set(err, LEAT_ENOTFOUND, "no step of the run has an attempt %s", attempt)
               : rc;
}

/* ---- what comes ----------------------------------------------------------------------------- */

struct printed { /* of one step (and iteration), how far */
    struct {
        int64_t index, iteration;
    } key;
    int64_t attempt, offset;
    bool in_line;
    UT_hash_handle hh;
};

struct follow {
    struct printed *all;
    const char *step;  /* ends with it; NULL = with the run */
    long long attempt; /* only this one; 0 = all */
    bool named;
    json_t *gone; /* names of steps whose log the store does not give: true */
};

static struct printed *printed_of(struct follow *f, const json_t *data)
{
    struct printed *p,
        key = {.key = {json_get_int(data, "index", 0), json_get_int(data, "iteration", 0)}};
    HASH_FIND(hh, f->all, &key.key, sizeof key.key, p);
    if (p)
        return p;
    p = mem_alloc(sizeof *p);
    p->key.index = key.key.index;
    p->key.iteration = key.key.iteration;
    HASH_ADD(hh, f->all, key, sizeof p->key, p);
    return p;
}

static char *bytes_of(const json_t *data, size_t *len)
{
    const char *text = json_get_string(data, "text", NULL);
    const char *coded = json_get_string(data, "base64", "");
    if (text) {
        *len = strlen(text);
        return mem_bytes(text, *len);
    }
    const size_t n = strlen(coded);
    char *out = mem_alloc(n / 4 * 3 + 1);
    const int got = n % 4 == 0 && n > 0 ? EVP_DecodeBlock((unsigned char *)out,
                                                          (const unsigned char *)coded, (int)n)
                                        : 0;
    const int padding = n > 1 ? (coded[n - 1] == '=') + (coded[n - 2] == '=') : 0;
    *len = got > padding ? (size_t)(got - padding) : 0;
    return out;
}

/* A piece that was there before (docs/api.md, "Resuming") is known by its offset. */
static void print_log_event(struct follow *f, const json_t *data)
{
    struct printed *p = printed_of(f, data);
    const int64_t attempt = json_get_int(data, "attempt", 0);
    const int64_t offset = json_get_int(data, "offset", 0);
    const char *name = json_get_string(data, "step", "");
    size_t len;
    cleanup_free char *bytes = bytes_of(data, &len);
    if (attempt > p->attempt)
        *p = (struct printed){.key = p->key, .attempt = attempt, .hh = p->hh};
    if ((f->attempt && attempt != f->attempt) || attempt < p->attempt || offset < p->offset)
        return;
    p->offset = offset + (int64_t)len;
    print_piece(f->named ? name : NULL, &p->in_line, bytes, len);
    fflush(stdout);
    if (json_get_bool(data, "truncated", false))
        json_object_set_new(f->gone, name, json_true());
}

static bool is_over(const json_t *step)
{
    const int state = machine_parse(&MACHINE_STEP, json_get_string(step, "state", ""));
    return state >= 0 && machine_is_terminal(&MACHINE_STEP, state);
}

static bool on_event(void *arg, const char *event, const json_t *data)
{
    struct follow *f = arg;
    if (strcmp(event, "log") == 0)
        print_log_event(f, data);
    if (!f->step || strcmp(event, "step") != 0 ||
        strcmp(json_get_string(data, "step", ""), f->step) != 0)
        return true;
    return !is_over(data) && !(f->attempt && json_get_int(data, "attempt", 0) > f->attempt);
}

/* Which were cached or adopted is known when they are over. */
static int say_all(const char *run, const struct follow *f, struct err *err)
{
    cleanup_json json_t *shown = NULL;
    const json_t *step;
    size_t i;
    const int rc = await_run(run, LEAT_EUNREACHABLE, &shown, err);
    json_array_foreach (json_get_array(shown, "steps"), i, step) {
        if (!is_wanted(step, f->step))
            continue;
        if (json_object_get(f->gone, json_get_string(step, "name", "")))
            say_gone(step);
        say_cached(step);
    }
    return rc < 0 ? rc : 0;
}

static int follow_stream(const char *run, struct follow *f, struct err *err)
{
    cleanup_free char *query = f->step ? client_path("?step=%s", f->step) : mem_string("");
    struct printed *p, *next;
    cleanup_json json_t *gone = json_object();
    f->gone = gone;
    int rc = stream_run(run, query, on_event, f, err);
    HASH_ITER (hh, f->all, p, next) {
        HASH_DEL(f->all, p);
        free(p);
    }
    return rc < 0 ? rc : say_all(run, f, err);
}

/* ---- both ----------------------------------------------------------------------------------- */

/* Of a step that is over no attempt comes any more. */
static bool none_comes(const json_t *run, const char *only)
{
    const json_t *step;
    size_t i;
    json_array_foreach (json_get_array(run, "steps"), i, step)
        if (only && is_wanted(step, only))
            return is_over(step);
    return false;
}

static size_t count_logs(const json_t *run, const char *only)
{
    const json_t *step;
    size_t i, n = 0;
    json_array_foreach (json_get_array(run, "steps"), i, step)
        n += is_wanted(step, only);
    return n;
}

/* Of a group that was adopted as a whole nothing that stands in it is in this run. */
static int no_such_step(const json_t *run, const char *name, struct err *err)
{
    const json_t *step;
    size_t i;
    json_array_foreach (json_get_array(run, "steps"), i, step) {
        const char *group = json_get_string(step, "step", "");
        const char *reason = json_get_string(step, "reason", "");
        const size_t len = strlen(group);
        if (text_starts_with(reason, "adopted from ") && text_starts_with(name, group) &&
            name[len] == '/')
            return err_set(err, LEAT_ENOTFOUND,
                           "%.80s was %.80s as a whole: that run has the logs of what stands in it",
                           group, reason);
    }
    return err_set(err, LEAT_ENOTFOUND, "the run has no step '%.80s'", name);
}

int follow_logs(const char *run, const char *step, const char *attempt, bool follow,
                struct err *err)
{
    cleanup_json json_t *shown = NULL;
    struct follow f = {.step = step};
    const int rc = get_run(run, &shown, err);
    if (rc < 0)
        return rc;
    const size_t n = count_logs(shown, step);
    f.named = n > 1;
    if (n == 0 && step)
        return no_such_step(shown, step, err);
    if (attempt && !text_to_int(attempt, 1, INT32_MAX, &f.attempt))
        return err_set(err, LEAT_EUSAGE, "--attempt: a number from 1 on");
    if (follow && !(attempt && none_comes(shown, step)))
        return follow_stream(json_get_string(shown, "id", run), &f, err);
    return print_logs(shown, step, attempt, f.named, err);
}

int follow_begin(const char *run, struct err *err)
{
    struct err why = {0};
    cleanup_json json_t *shown = NULL;
    const int rc = await_run(run, LEAT_ENOTFOUND, &shown, &why);
    if (rc == LEAT_ENOTFOUND)
        return err_set(err, LEAT_EUNREACHABLE,
                       "the queue has run %s, and no scheduler has looked at it yet", run);
    return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

static bool never_enough(void *arg, const char *event, const json_t *data)
{
    (void)arg, (void)event, (void)data;
    return true;
}

int follow_end(const char *run, json_t **ended, struct err *err)
{
    const int rc = stream_run(run, "?logs=false", never_enough, NULL, err);
    return rc < 0 ? rc : await_run(run, LEAT_EUNREACHABLE, ended, err);
}
