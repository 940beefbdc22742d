#include "cli/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "common/base/mem.h"
#include "common/base/states.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define AGAIN_US 200000

struct tail { /* one step's log */
    char *step;
    int64_t offset;
    char attempt[24];
    bool complete;
    bool in_line; /* the last byte printed was not a line's end */
};

static void print_piece(struct tail *t, bool named, const char *data, size_t len)
{
    if (!named) {
        fwrite(data, 1, len, stdout);
        return;
    }
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        const size_t n = end ? (size_t)(end - data) + 1 : len;
        if (!t->in_line)
            printf("[%s] ", t->step);
        fwrite(data, 1, n, stdout);
        t->in_line = end == NULL;
        data += n;
        len -= n;
    }
}

static int read_tail(const char *run, struct tail *t, const char *attempt, bool named,
                     struct err *err)
{
    char offset[24];
    struct http_incoming in = {0};
    snprintf(offset, sizeof offset, "%lld", (long long)t->offset);
    cleanup_free char *path =
        attempt ? client_path("/api/v1/runs/%s/logs/%s?offset=%s&attempt=%s", run, t->step, offset,
                              attempt)
                : client_path("/api/v1/runs/%s/logs/%s?offset=%s", run, t->step, offset);
    const int rc = client_raw("GET", path, NULL, 0, &in, err);
    if (rc < 0)
        return rc;
    const char *which = http_incoming_header(&in, "Leat-Log-Attempt");
    const char *complete = http_incoming_header(&in, "Leat-Log-Complete");
    if (t->offset && which && t->attempt[0] && strcmp(which, t->attempt) != 0) {
        t->offset = 0; /* a new attempt: from its beginning */
    } else {
        print_piece(t, named, in.body, in.len);
        t->offset += (int64_t)in.len;
        t->complete = complete && strcmp(complete, "true") == 0;
    }
    snprintf(t->attempt, sizeof t->attempt, "%s", which ? which : "");
    http_incoming_free(&in);
    return 0;
}

bool run_is_terminal(const json_t *run)
{
    const int state = machine_parse(&MACHINE_RUN, json_get_string(run, "state", ""));
    return state >= 0 && machine_is_terminal(&MACHINE_RUN, state);
}

static int get_run(const char *run, json_t **out, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s", run);
    return client_call("GET", path, NULL, out, err);
}

int follow_end(const char *run, json_t **ended, struct err *err)
{
    for (;;) {
        json_t *now = NULL;
        const int rc = get_run(run, &now, err);
        if (rc < 0)
            return rc;
        if (run_is_terminal(now)) {
            *ended = now;
            return 0;
        }
        json_decref(now);
        usleep(AGAIN_US);
    }
}

static size_t open_tails(const json_t *run, const char *only, struct tail **out)
{
    const json_t *steps = json_object_get(run, "steps"), *step;
    struct tail *tails = mem_array(json_array_size(steps), sizeof *tails);
    size_t n = 0, i;
    json_array_foreach (steps, i, step) {
        const char *name = json_get_string(step, "name", "");
        const bool built_in = strcmp(json_get_string(step, "kind", ""), "run") != 0;
        if (only ? strcmp(only, name) == 0 : !built_in)
            tails[n++].step = mem_string(name);
    }
    *out = tails;
    return n;
}

/* One round over all of them; the number that are not whole yet, or < 0. */
static int read_round(const char *run, struct tail *tails, size_t n, const char *attempt,
                      bool named, struct err *err)
{
    int open = 0;
    for (size_t i = 0; i < n; i++) {
        const int rc = tails[i].complete ? 0 : read_tail(run, &tails[i], attempt, named, err);
        if (rc < 0)
            return rc;
        open += !tails[i].complete;
    }
    fflush(stdout);
    return open;
}

int follow_logs(const char *run, const char *step, const char *attempt, bool follow,
                struct err *err)
{
    cleanup_json json_t *shown = NULL;
    struct tail *tails = NULL;
    int rc = get_run(run, &shown, err);
    if (rc < 0)
        return rc;
    const char *id = json_get_string(shown, "id", run); /* latest may be another one soon */
    const size_t n = open_tails(shown, step, &tails);
    if (n == 0)
        rc = err_set(err, LEAT_ENOTFOUND, "the run has no step '%.80s'", step ? step : "");
    while (rc >= 0 && (rc = read_round(id, tails, n, attempt, n > 1, err)) > 0 && follow)
        usleep(AGAIN_US);
    for (size_t i = 0; i < n; i++)
        free(tails[i].step);
    free(tails);
    return rc < 0 ? rc : 0;
}
