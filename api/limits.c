/* Named limits and pools: what there is, who holds it, and taking one away. */
#include "api/api.h"

void api_limits(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_LIMITS, NULL, api_answer_list, req);
}

void api_pools(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_POOLS, NULL, api_answer_list, req);
}

static void show(struct http_request *req, struct api *api, enum query_id query, const char *kind)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, kind));
    api_ask(api, query, &params, api_answer_row, req);
}

void api_limit_show(struct http_request *req, void *arg)
{
    show(req, arg, QUERY_API_LIMIT, "limit");
}

void api_pool_show(struct http_request *req, void *arg)
{
    show(req, arg, QUERY_API_POOL, "pool");
}

/* Its one statement has deleted it, or says why not. */
static void removed(struct http_request *req, const struct pg_answer *answer, const char *kind)
{
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "there is no %s of that name in a file", kind);
    else if (!pg_bool(answer->rows, 0, 0))
        api_refuse(req, LEAT_EREFUSED, "pipeline %s names it", pg_text(answer->rows, 0, 1));
    else
        http_answer(req, 204, NULL, "", 0);
}

static void limit_removed(void *arg, const struct pg_answer *answer)
{
    removed(arg, answer, "limit");
}

static void pool_removed(void *arg, const struct pg_answer *answer)
{
    removed(arg, answer, "pool");
}

void api_limit_remove(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "limit"));
    api_ask(arg, QUERY_API_LIMIT_REMOVE, &params, limit_removed, req);
}

void api_pool_remove(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "pool"));
    api_ask(arg, QUERY_API_POOL_REMOVE, &params, pool_removed, req);
}
