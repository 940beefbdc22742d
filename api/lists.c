/* A list of artifacts that is too long for an order, for the worker whose live attempt takes it. */
#include <string.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

/* Row: the list as JSON, or NULL. */
static void list_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err) {
        http_answer_err(req, answer->err);
    } else if (pg_row_count(answer->rows) == 0 || pg_is_null(answer->rows, 0, 0)) {
        api_refuse(req, LEAT_ENOTFOUND,
                   "there is no such list, or the attempt is not live on this worker");
    } else {
        char *text = mem_string(pg_text(answer->rows, 0, 0));
        http_answer_take(req, 200, "application/json", text, strlen(text));
    }
}

void api_attempt_list(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct uuid attempt;
    long long step, iteration;
    struct pg_params params = {0};
    if (!uuid_parse(http_param(req, "attempt"), &attempt) ||
        !text_to_int(http_param(req, "step"), 0, INT32_MAX, &step) ||
        !text_to_int(http_param(req, "iteration"), 0, INT32_MAX, &iteration)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such list");
        return;
    }
    pg_add_uuid(&params, &attempt);
    pg_add_text(&params, http_param(req, "worker"));
    pg_add_int4(&params, (int32_t)step);
    pg_add_int4(&params, (int32_t)iteration);
    pg_add_text(&params, http_param(req, "output"));
    http_set_context(req, api);
    api_ask(api, QUERY_API_ATTEMPT_LIST, &params, list_known, req);
}
