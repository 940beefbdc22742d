/* Tokens given out, and what a worker's join token is exchanged for. Only hashes are kept: a text
 * is answered once. An answer that is lost on its way leaves a token that nobody has: it is revoked
 * by its id, or expires, and another one is made. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/access.h"
#include "api/token.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define TTL_USUAL_S 3600
#define TTL_MOST_S  (365LL * 24 * 3600)
#define NAME_MOST   64 /* of a worker, as worker/config.c has it */
#define POOL_MOST   63

/* ---- create, list, revoke ------------------------------------------------------------------- */

struct making {
    struct http_request *req;
    char text[TOKEN_SIZE];
};

static void answer_made(struct http_request *req, int status, json_t *body)
{
    char *json = json_write(body);
    json_decref(body);
    http_answer(req, status,
                (struct http_header[]){
                    {"Content-Type", "application/json"}, {"Cache-Control", "no-store"}, {0}},
                json, strlen(json));
    mem_wipe(json, strlen(json));
    free(json);
}

static void made(void *arg, const struct pg_answer *answer)
{
    struct making *m = arg;
    if (answer->err) {
        http_answer_err(m->req, answer->err);
    } else {
        const char *json = pg_text(answer->rows, 0, 0);
        json_t *body = json_read(json, strlen(json), NULL, NULL);
        json_object_set_new(body, "token", json_string(m->text));
        answer_made(m->req, 201, body);
    }
    mem_wipe(m->text, sizeof m->text);
    free(m);
}

/* Who answers as anna must not make a token that answers as bruno. */
static void refuse_other(struct http_request *req, const char *caller)
{
    struct err err = {0};
    err_set(&err, LEAT_EREFUSED, "this token is %s's: it makes user tokens of that name only",
            caller);
    http_problem(req, 403, &err);
}

void api_token_create(struct http_request *req, void *arg)
{
    struct api *api = arg;
    cleanup_json json_t *body = api_body(req);
    if (!body)
        return;
    const char *kind = json_get_string(body, "kind", "user");
    const char *pool = json_get_string(body, "pool", NULL);
    const char *name = json_get_string(body, "name", NULL), *caller = http_caller(req);
    const bool join = strcmp(kind, TOKEN_KIND_NAMES[TOKEN_JOIN]) == 0;
    const int64_t ttl = json_get_int(body, "ttl_s", join ? TTL_USUAL_S : 0);
    if (!join && strcmp(kind, TOKEN_KIND_NAMES[TOKEN_USER]) != 0) {
        api_refuse(req, LEAT_EINPUT, "kind: user, or join (for a worker)");
    } else if (ttl < join || ttl > TTL_MOST_S) {
        api_refuse(req, LEAT_EINPUT, "ttl_s: seconds, at most a year%s",
                   join ? "; a join token has to end" : "; 0 = for good");
    } else if (pool && (!join || !text_is_name(pool, POOL_MOST))) {
        api_refuse(req, LEAT_EINPUT, "pool: of a join token; 1 to 63 of a-z 0-9 . _ -");
    } else if (name && (join || !text_is_name(name, NAME_MOST - 1))) {
        api_refuse(req, LEAT_EINPUT, "name: of a user token; 1 to 63 of a-z 0-9 . _ -");
    } else if (*caller && !join && (!name || strcmp(name, caller) != 0)) {
        refuse_other(req, caller);
    } else {
        struct token token;
        struct pg_params params = {0};
        struct making *m = mem_alloc(sizeof *m);
        m->req = req;
        token_new(join ? TOKEN_JOIN : TOKEN_USER, m->text, &token);
        pg_add_text(&params, token.id);
        pg_add_text(&params, kind);
        pg_add_bytea(&params, token.hash, sizeof token.hash);
        pg_add_text(&params, pool);
        pg_add_int8(&params, ttl);
        pg_add_text(&params, name);
        pg_call(api->pg, QUERY_API_TOKEN_PUT, &params, made, m);
        pg_params_free(&params);
    }
}

void api_tokens(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_TOKENS, NULL, api_answer_list, req);
}

static void revoked(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err)
        http_answer_err(req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "there is no token of that id (leat token list)");
    else
        http_answer(req, 204, NULL, "", 0);
}

void api_token_revoke(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "token"));
    api_ask(arg, QUERY_API_TOKEN_REVOKE, &params, revoked, req);
}

/* ---- join ----------------------------------------------------------------------------------- */

struct joining {
    struct api *api;
    struct http_request *req;
    struct token join, made;
    char *name;
    char text[TOKEN_SIZE]; /* the credential */
};

static void join_end(struct joining *j)
{
    mem_wipe(j->text, sizeof j->text);
    free(j->name);
    free(j);
}

/* As worker/config.c takes it: it is a part of a topic's name. */
static bool worker_name_ok(const char *name)
{
    size_t len = 0;
    for (; name[len]; len++)
        if (!isalnum((unsigned char)name[len]) && !strchr("-_.", name[len]))
            return false;
    return len > 0 && len <= NAME_MOST && isalnum((unsigned char)name[0]);
}

/* What a worker's configuration says of queue and store as ours does. What is a file of ours is not
 * sent, and what is in it even less: `needs` names what has to be put there by hand. */
static json_t *told(const struct api_config *c, const char *pool)
{
    const struct bus_settings *kafka = &c->kafka;
    const struct {
        const char *key, *value; /* NULL = as it is without */
    } keys[] = {
        {"bus", c->bus},
        {"bus-tls", kafka->tls ? "true" : NULL},
        {"bus-insecure", kafka->insecure ? "true" : NULL},
        {"bus-sasl", kafka->sasl ? BUS_SASL_WORDS[kafka->sasl] : NULL},
        {"bus-user", kafka->user},
        {"store", c->store},
        {"store-endpoint", c->store_endpoint},
        {"store-region", c->store_region},
        {"store-style", c->store_style ? S3_STYLES[c->store_style] : NULL},
        {"pool", pool},
    };
    json_t *config = json_object();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].value && *keys[i].value)
            json_object_set_new(config, keys[i].key, json_string(keys[i].value));
    return config;
}

static json_t *needed(const struct api_config *c)
{
    const struct {
        const char *key, *ours;
    } files[] = {
        {"bus-ca-file", c->kafka.ca_file},           {"bus-cert-file", c->kafka.cert_file},
        {"bus-key-file", c->kafka.key_file},         {"bus-password-file", c->kafka.password_file},
        {"store-credentials", c->store_credentials},
    };
    json_t *needs = json_array();
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (files[i].ours && *files[i].ours)
            json_array_append_new(needs, json_string(files[i].key));
    return needs;
}

static void joined(void *arg, const struct pg_answer *answer)
{
    struct joining *j = arg;
    const struct api_config *config = &j->api->config;
    if (answer->err)
        http_answer_err(j->req, answer->err);
    else if (pg_row_count(answer->rows) == 0)
        api_refuse(j->req, LEAT_EAUTH, "this join token was used a moment ago");
    else
        answer_made(j->req, 201,
                    json_pack("{s:s, s:s, s:o, s:o}", "worker", j->name, "token", j->text, "config",
                              told(config, pg_text(answer->rows, 0, 0)), "needs", needed(config)));
    join_end(j);
}

static void exchange(struct joining *j)
{
    struct pg_params params = {0};
    token_new(TOKEN_WORKER, j->text, &j->made);
    pg_add_text(&params, j->join.id);
    pg_add_text(&params, j->name);
    pg_add_text(&params, j->made.id);
    pg_add_bytea(&params, j->made.hash, sizeof j->made.hash);
    pg_call(j->api->pg, QUERY_API_JOIN, &params, joined, j);
    pg_params_free(&params);
}

static void join_known(void *arg, const struct pg_answer *answer)
{
    struct joining *j = arg;
    size_t len = 0;
    const bool found = !answer->err && pg_row_count(answer->rows) > 0;
    const void *hash = found ? pg_bytea(answer->rows, 0, 0, &len) : NULL;
    if (answer->err)
        http_answer_err(j->req, answer->err);
    else if (!found || !token_equal(&j->join, hash, len))
        api_refuse(j->req, LEAT_EAUTH, "this join token is not ours");
    else if (!pg_is_null(answer->rows, 0, 2))
        api_refuse(j->req, LEAT_EAUTH,
                   "this join token was used by worker %s: make another (leat token create "
                   "--worker)",
                   pg_text(answer->rows, 0, 2));
    else if (!pg_bool(answer->rows, 0, 1))
        api_refuse(j->req, LEAT_EAUTH, "this join token was revoked or has expired");
    else if (pg_bool(answer->rows, 0, 3))
        api_refuse(j->req, LEAT_EREFUSED,
                   "there is a worker %s already: choose another --name, or drain and remove it",
                   j->name);
    else {
        exchange(j);
        return;
    }
    join_end(j);
}

/* Where the database is the queue a worker would need its login, which opens everything. */
static bool queue_can_be_joined(const struct api *api, struct http_request *req)
{
    if (strcmp(api->config.bus, "embedded") != 0)
        return true;
    api_refuse(req, LEAT_EREFUSED,
               "this Leat has the embedded queue, which is its database: workers of other machines "
               "need --bus kafka://HOST:PORT,... (leat up --bus ..., docs/api.md)");
    return false;
}

void api_worker_join(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct token join;
    struct pg_params params = {0};
    cleanup_json json_t *body = api_body(req);
    if (!body)
        return;
    const char *bearer = access_bearer(req), *name = json_get_string(body, "name", "");
    if (!bearer || !token_parse(bearer, &join) || join.kind != TOKEN_JOIN) {
        api_refuse(req, LEAT_EAUTH, "needs a join token: leat token create --worker");
    } else if (!worker_name_ok(name)) {
        api_refuse(req, LEAT_EINPUT, "name: 1 to %d letters, digits, '-', '_' or '.'", NAME_MOST);
    } else if (queue_can_be_joined(api, req)) {
        struct joining *j = mem_alloc(sizeof *j);
        *j = (struct joining){.api = api, .req = req, .join = join, .name = mem_string(name)};
        pg_add_text(&params, join.id);
        pg_add_text(&params, name);
        pg_call(api->pg, QUERY_API_JOIN_TOKEN, &params, join_known, j);
        pg_params_free(&params);
    }
}
