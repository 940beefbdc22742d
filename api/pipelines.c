#include "api/api.h"

void api_pipelines(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_PIPELINES, NULL, api_answer_list, req);
}

void api_pipeline(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    const char *version = http_query(req, "version");
    pg_add_text(&params, http_param(req, "pipeline"));
    pg_add_text(&params, version ? version : "");
    api_ask(arg, QUERY_API_PIPELINE, &params, api_answer_row, req);
}
