/* Named limits: what there is, who holds it, and taking one away. */
#include "api/api.h"

void api_limits(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_LIMITS, NULL, api_answer_list, req);
}

void api_limit_show(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "limit"));
    api_ask(arg, QUERY_API_LIMIT, &params, api_answer_row, req);
}

/* Its one statement has deleted it, or says why not. */
static void removed(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "there is no limit of that name");
    else if (!pg_bool(answer->rows, 0, 0))
        api_refuse(req, LEAT_EREFUSED, "pipeline %s names it", pg_text(answer->rows, 0, 1));
    else
        http_answer(req, 204, NULL, "", 0);
}

void api_limit_remove(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "limit"));
    api_ask(api, QUERY_API_LIMIT_REMOVE, &params, removed, req);
}
