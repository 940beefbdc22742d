/* A step's log so far: numbered chunks of the store, one after the other from a byte offset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define ANSWER_MAX (4L * 1024 * 1024) /* bytes an answer; ask again from its end for more */

/* From the question to the answer. */
struct log_read {
    struct api *api;
    struct http_request *request;
    struct uuid run, from; /* asked for; below which the log lies: an earlier one, where the result
                              was adopted */
    int64_t offset;        /* bytes of the whole log still to be passed over */
    int64_t attempt, chunks; /* attempt: 0 = the newest was asked for */
    char *id;                /* of the attempt; NULL: it has not begun, or never will */
    char *step;              /* its name, without the iteration that was asked for */
    char *cached_from;       /* run of whose result the step's is, without a log; NULL = its own */
    bool over;
    bool gone;    /* the store has not what the result counts: no longer, or not under any run that
                     is known */
    int64_t next; /* chunk */
    struct text out;
};

static void free_read(struct log_read *l)
{
    text_free(&l->out);
    free(l->id);
    free(l->step);
    free(l->cached_from);
    free(l);
}

static void answer_log(struct log_read *l)
{
    char number[24], from[UUID_TEXT];
    const bool room = (long)l->out.len < ANSWER_MAX;
    const bool complete = l->over && (l->chunks < 0 || l->next > l->chunks) && room;
    struct http_header headers[7] = {{"Content-Type", "text/plain; charset=utf-8"},
                                     {"Leat-Log-Complete", complete ? "true" : "false"},
                                     {"Leat-Log-Attempt", number}};
    snprintf(number, sizeof number, "%lld", (long long)l->attempt);
    size_t n = 3;
    if (uuid_compare(&l->from, &l->run) != 0) {
        uuid_format(&l->from, from);
        headers[n++] = (struct http_header){"Leat-Log-From", from};
    }
    if (l->cached_from)
        headers[n++] = (struct http_header){"Leat-Log-Cached-From", l->cached_from};
    if (l->gone)
        headers[n++] = (struct http_header){"Leat-Log-Gone", "true"};
    http_answer(l->request, 200, headers, l->out.data, l->out.len);
    free_read(l);
}

static void read_chunk(struct log_read *l);

/* A chunk that is not there yet is the end for now; a store that does not answer is an error. */
static void chunk_read(void *arg, const struct store_object *object, const struct err *err)
{
    struct log_read *l = arg;
    if (err && err->code != LEAT_ENOTFOUND) {
        http_answer_err(l->request, err);
        free_read(l);
        return;
    }
    if (err) {
        l->gone = l->over && l->next <= l->chunks;
        answer_log(l);
        return;
    }
    l->offset = l->offset > object->total ? l->offset - object->total : 0;
    text_append(&l->out, object->data, (size_t)object->size);
    l->next++;
    read_chunk(l);
}

static void read_chunk(struct log_read *l)
{
    char run[UUID_TEXT];
    if (!l->id || (long)l->out.len >= ANSWER_MAX || (l->chunks >= 0 && l->next > l->chunks)) {
        answer_log(l);
        return;
    }
    uuid_format(&l->from, run);
    cleanup_free char *name =
        mem_printf("logs/%s/%s/%s/%06lld", run, l->step, l->id, (long long)l->next);
    store_read(l->api->store, name, l->offset, ANSWER_MAX, chunk_read, l);
}

static void begin(struct log_read *l, const struct pg_rows *rows)
{
    l->attempt = pg_int(rows, 0, 0);
    l->id = mem_string(pg_text_or_null(rows, 0, 1));
    l->over = pg_bool(rows, 0, 2);
    l->step = mem_string(pg_text(rows, 0, 4));
    l->chunks = pg_int(rows, 0, 3);
    l->from = pg_uuid(rows, 0, 5);
    l->cached_from = mem_string(pg_text_or_null(rows, 0, 6));
    l->next = 1;
    read_chunk(l);
}

/* There is no such attempt: those that there are. */
static void attempts_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    struct log_read *l = http_context(req);
    const struct pg_rows *rows = answer->rows;
    const long long asked = l->attempt;
    const char *step = http_param(req, "step");
    const bool there = !answer->err && pg_row_count(rows) > 0;
    const int64_t count = there ? pg_int(rows, 0, 0) : 0, first = there ? pg_int(rows, 0, 1) : 0;
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (!there)
        api_refuse(req, LEAT_ENOTFOUND, "the run has no step '%.80s'", step);
    else if (count == 0)
        api_refuse(req, LEAT_ENOTFOUND, "step %.80s has no attempt %lld: none has begun", step,
                   asked);
    else if (count == 1)
        api_refuse(req, LEAT_ENOTFOUND, "step %.80s has no attempt %lld: it has %lld", step, asked,
                   (long long)first);
    else
        api_refuse(req, LEAT_ENOTFOUND, "step %.80s has no attempt %lld: it has %lld to %lld", step,
                   asked, (long long)first, (long long)pg_int(rows, 0, 2));
    free_read(l);
}

static void log_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    struct log_read *l = http_context(req);
    if (!answer->err && pg_row_count(answer->rows) > 0) {
        begin(l, answer->rows);
    } else if (answer->err) {
        http_answer_err(req, answer->err);
        free_read(l);
    } else {
        struct pg_params params = {0};
        pg_add_uuid(&params, &l->run);
        pg_add_text(&params, http_param(req, "step"));
        api_ask(l->api, QUERY_API_ATTEMPTS_OF, &params, attempts_known, req);
    }
}

static void find_log(struct api *api, struct http_request *req, const struct uuid *run)
{
    struct pg_params params = {0};
    long long attempt = 0, offset = 0;
    const char *asked = http_query(req, "attempt"), *from = http_query(req, "offset");
    if ((asked && !text_to_int(asked, 1, 1000000, &attempt)) ||
        (from && !text_to_int(from, 0, INT64_MAX, &offset))) {
        api_refuse(req, LEAT_EINPUT, "attempt and offset are numbers");
        return;
    }
    struct log_read *l = mem_alloc(sizeof *l);
    *l = (struct log_read){
        .api = api, .request = req, .run = *run, .offset = offset, .attempt = attempt};
    http_set_context(req, l);
    pg_add_uuid(&params, run);
    pg_add_text(&params, http_param(req, "step"));
    pg_add_int4(&params, (int32_t)attempt);
    api_ask(api, QUERY_API_LOG_OF, &params, log_known, req);
}

void api_log(struct http_request *req, void *arg)
{
    api_find_run(arg, req, find_log);
}
