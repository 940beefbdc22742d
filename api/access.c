#include "api/access.h"

#include <stdlib.h>
#include <string.h>

#include "api/run_token.h"
#include "api/token.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/token.h"

struct check { /* a call that waits for what Postgres knows of its token */
    struct api *api;
    struct http_request *req;
    enum access access;
    http_handler *handler;
    struct uuid attempt;
    struct token token;
};

const char *access_bearer(const struct http_request *req)
{
    static const char prefix[] = "Bearer ";
    const char *header = http_header(req, "Authorization");
    return header && text_starts_with(header, prefix) ? header + sizeof prefix - 1 : NULL;
}

static void not_known(struct http_request *req, const char *why)
{
    api_refuse(req, LEAT_EAUTH, "needs 'Authorization: Bearer TOKEN': %s", why);
}

static void not_allowed(struct http_request *req, const char *what)
{
    struct err err = {0};
    err_set(&err, LEAT_EREFUSED, "this token is for %s", what);
    http_problem(req, 403, &err);
}

static struct check *check_new(struct api *api, struct http_request *req, enum access access,
                               http_handler *handler)
{
    struct check *c = mem_alloc(sizeof *c);
    *c = (struct check){.api = api, .req = req, .access = access, .handler = handler};
    return c;
}

/* ---- attempts ------------------------------------------------------------------------------- */

static bool names(const struct http_request *req, const char *parameter, const struct uuid *id)
{
    struct uuid given;
    const char *text = http_param(req, parameter);
    return text && !uuid_is_nil(id) && uuid_parse(text, &given) && uuid_compare(&given, id) == 0;
}

static void let_attempt(const struct check *c, const struct uuid *run, const struct uuid *event)
{
    const bool own = (c->access == ACCESS_RUN && names(c->req, "run", run)) ||
                     (c->access == ACCESS_EVENT && names(c->req, "event", event));
    if (c->access == ACCESS_START)
        api_run_start_by(c->api, c->req, &c->attempt, run);
    else if (own)
        c->handler(c->req, c->api);
    else
        not_allowed(c->req, "a step's own run, its event, and to start runs");
}

static void attempt_known(void *arg, const struct pg_answer *answer)
{
    struct check *c = arg;
    if (answer->err) {
        http_answer_err(c->req, answer->err);
    } else if (pg_row_count(answer->rows) == 0) {
        not_known(c->req, "the attempt of this one is over");
    } else {
        const struct uuid run = pg_uuid(answer->rows, 0, 0), event = pg_uuid(answer->rows, 0, 1);
        let_attempt(c, &run, &event);
    }
    free(c);
}

static void check_attempt(struct check *c, const char *bearer)
{
    struct pg_params params = {0};
    if (!run_token_check(c->api->key, bearer, &c->attempt)) {
        not_known(c->req, "this one is not ours");
        free(c);
        return;
    }
    if (c->access == ACCESS_USER || c->access == ACCESS_WORKER) {
        not_allowed(c->req, "a step's own run, its event, and to start runs");
        free(c);
        return;
    }
    pg_add_uuid(&params, &c->attempt);
    pg_call(c->api->pg, QUERY_API_ATTEMPT_RUN, &params, attempt_known, c);
    pg_params_free(&params);
}

/* ---- tokens that were given out ------------------------------------------------------------- */

static void let_holder(const struct check *c, const char *worker, const char *holder)
{
    const char *named = http_param(c->req, "worker");
    const bool own = c->access == ACCESS_WORKER && named && strcmp(named, worker) == 0;
    if (c->token.kind == TOKEN_USER) {
        http_set_caller(c->req, holder);
        c->handler(c->req, c->api);
    } else if (c->token.kind == TOKEN_WORKER && (own || c->access == ACCESS_EVENT)) {
        c->handler(c->req, c->api);
    } else {
        not_allowed(c->req, c->token.kind == TOKEN_JOIN ? "a worker to join, once"
                                                        : "what a worker's own attempts need");
    }
}

static void token_known(void *arg, const struct pg_answer *answer)
{
    struct check *c = arg;
    size_t len = 0;
    const bool found = !answer->err && pg_row_count(answer->rows) > 0;
    const void *hash = found ? pg_bytea(answer->rows, 0, 0, &len) : NULL;
    if (answer->err)
        http_answer_err(c->req, answer->err);
    else if (!found || !token_equal(&c->token, hash, len))
        not_known(c->req, "this one is not ours");
    else if (!pg_bool(answer->rows, 0, 1))
        not_known(c->req, "this one was revoked or has expired");
    else
        let_holder(c, pg_text(answer->rows, 0, 2), pg_text(answer->rows, 0, 3));
    free(c);
}

static void check_token(struct check *c)
{
    struct pg_params params = {0};
    pg_add_text(&params, c->token.id);
    pg_add_text(&params, TOKEN_KIND_NAMES[c->token.kind]);
    pg_call(c->api->pg, QUERY_API_TOKEN, &params, token_known, c);
    pg_params_free(&params);
}

/* ---- all ------------------------------------------------------------------------------------ */

void access_check(struct api *api, struct http_request *req, enum access access,
                  http_handler *handler)
{
    struct token token;
    const char *bearer = access_bearer(req);
    if (access == ACCESS_ANYONE) {
        handler(req, api);
    } else if (bearer && text_starts_with(bearer, RUN_TOKEN_PREFIX)) {
        check_attempt(check_new(api, req, access, handler), bearer);
    } else if (bearer && token_parse(bearer, &token)) {
        struct check *c = check_new(api, req, access, handler);
        c->token = token;
        check_token(c);
    } else if (token_fits(req, api->token)) {
        handler(req, api);
    } else {
        not_known(req, "there is none, or not the right one");
    }
}
