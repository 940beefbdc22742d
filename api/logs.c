/* A step's log so far: numbered chunks of the store, one after the other from a byte offset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define ANSWER_MAX (4L * 1024 * 1024) /* bytes an answer; ask again from its end for more */

struct log_read {
    struct api *api;
    struct uuid run;
    int64_t offset;
};

/* Appends the part of the chunk that lies past `*skip` bytes; false when there is no such chunk. */
static bool append_chunk(struct api *api, const char *name, int64_t *skip, struct text *out)
{
    int64_t size;
    char buffer[64 * 1024];
    cleanup_close int fd = store_open_fd(api->store, name, &size, NULL);
    if (fd < 0)
        return false;
    if (*skip >= size) {
        *skip -= size;
        return true;
    }
    ssize_t n;
    for (off_t at = (off_t)*skip; (n = pread(fd, buffer, sizeof buffer, at)) > 0; at += n)
        text_append(out, buffer, (size_t)n);
    *skip = 0;
    return true;
}

static void answer_log(struct log_read *l, struct http_request *req, const struct pg_rows *rows)
{
    const int64_t attempt = pg_int(rows, 0, 0), chunks = pg_int(rows, 0, 3);
    const char *id = pg_text_or_null(rows, 0, 1); /* NULL: it has not begun, or never will */
    const bool over = pg_bool(rows, 0, 2);
    char run[UUID_TEXT], number[24];
    struct text out = {0};
    int64_t skip = l->offset, n = 1;
    uuid_format(&l->run, run);
    snprintf(number, sizeof number, "%lld", (long long)attempt);
    for (; id && (long)out.len < ANSWER_MAX; n++) {
        cleanup_free char *name =
            mem_printf("logs/%s/%s/%s/%06lld", run, http_param(req, "step"), id, (long long)n);
        if (!append_chunk(l->api, name, &skip, &out))
            break;
    }
    const bool complete = over && (chunks < 0 || n > chunks) && (long)out.len < ANSWER_MAX;
    http_answer(req, 200,
                (struct http_header[]){{"Content-Type", "text/plain; charset=utf-8"},
                                       {"Leat-Log-Complete", complete ? "true" : "false"},
                                       {"Leat-Log-Attempt", number},
                                       {0}},
                out.data, out.len);
    text_free(&out);
}

static void log_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    struct log_read *l = http_context(req);
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "the run has no step '%.80s'", http_param(req, "step"));
    else
        answer_log(l, req, answer->rows);
    free(l);
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
    *l = (struct log_read){api, *run, offset};
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
