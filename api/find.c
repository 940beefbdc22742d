#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define PREFIX_LEAST 4

struct search {
    struct api *api;
    struct http_request *req;
    api_found *found;
};

static void found_rows(void *arg, const struct pg_answer *answer)
{
    struct search *s = arg;
    const size_t n = answer->err ? 0 : pg_row_count(answer->rows);
    const char *run = http_param(s->req, "run");
    if (answer->err) {
        http_answer_err(s->req, answer->err);
    } else if (n == 0) {
        api_refuse(s->req, LEAT_ENOTFOUND, "there is no run '%.80s'", run);
    } else if (n > 1) {
        api_refuse(s->req, LEAT_EINPUT, "'%.80s' begins more than one run's id: give more of it",
                   run);
    } else {
        const struct uuid id = pg_uuid(answer->rows, 0, 0);
        s->found(s->api, s->req, &id);
    }
    free(s);
}

/* The first or last id that begins with `prefix`: the template's digits stand for those not given.
 */
static bool bound(const char *prefix, char fill, struct uuid *out)
{
    char text[UUID_TEXT] = "00000000-0000-0000-0000-000000000000";
    const size_t n = strlen(prefix);
    if (n < PREFIX_LEAST || n >= UUID_TEXT)
        return false;
    for (size_t i = 0; i < UUID_TEXT - 1; i++)
        if (i < n)
            text[i] = prefix[i];
        else if (text[i] != '-')
            text[i] = fill;
    return uuid_parse(text, out);
}

bool run_prefix_bounds(const char *prefix, struct uuid *low, struct uuid *high)
{
    return bound(prefix, '0', low) && bound(prefix, 'f', high);
}

void api_find_run(struct api *api, struct http_request *req, api_found *found)
{
    static const char latest[] = "latest";
    const char *run = http_param(req, "run");
    struct pg_params params = {0};
    struct uuid low, high;
    enum query_id query = QUERY_API_RUN_BETWEEN;
    if (strcmp(run, latest) == 0 || text_starts_with(run, "latest:")) {
        query = QUERY_API_RUN_LATEST;
        pg_add_text(&params, run[sizeof latest - 1] ? run + sizeof latest : "");
    } else if (run_prefix_bounds(run, &low, &high)) {
        pg_add_uuid(&params, &low);
        pg_add_uuid(&params, &high);
    } else {
        api_refuse(
            req, LEAT_ENOTFOUND,
            "there is no run '%.80s': give an id, %d or more of its first characters, latest or "
            "latest:PIPELINE",
            run, PREFIX_LEAST);
        return;
    }
    struct search *s = mem_alloc(sizeof *s);
    *s = (struct search){api, req, found};
    pg_call(api->pg, query, &params, found_rows, s);
    pg_params_free(&params);
}
