/* Secrets: sealed before they leave this process, never answered to a person. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/run_token.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define NAME_MAX_ 63

void api_secrets(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_SECRETS, NULL, api_answer_list, req);
}

static void changed(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (answer->err)
        http_answer_err(req, answer->err);
    else
        http_answer(req, 204, NULL, "", 0);
}

void api_secret_put(struct http_request *req, void *arg)
{
    struct api *api = arg;
    const char *name = http_param(req, "secret");
    size_t len, sealed_len;
    const char *value = http_body(req, &len);
    if (!text_is_name(name, NAME_MAX_)) {
        api_refuse(req, LEAT_EINPUT, "a secret's name is 1 to 63 of a-z 0-9 . _ -");
    } else if (text_starts_with(name, "leat.")) {
        api_refuse(req, LEAT_EINPUT, "names that begin with 'leat.' are Leat's own");
    } else if (len == 0 || memchr(value, '\0', len)) {
        api_refuse(req, LEAT_EINPUT, "a secret's value may not be empty or hold a NUL byte");
    } else {
        struct pg_params params = {0};
        uint8_t *sealed = secret_seal(api->key, name, value, len, &sealed_len);
        pg_add_text(&params, name);
        pg_add_bytea(&params, sealed, sealed_len);
        free(sealed);
        pg_exec(api->pg, QUERY_API_SECRET_PUT, &params, NULL, NULL);
        pg_exec(api->pg, QUERY_API_CATALOG_NOTIFY, NULL, changed, req);
        pg_sync(api->pg);
        pg_params_free(&params);
    }
}

static void removed(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    if (!answer->err && pg_row_count(answer->rows) == 0)
        api_refuse(req, LEAT_ENOTFOUND, "there is no secret of that name");
    else
        changed(arg, answer);
}

void api_secret_remove(struct http_request *req, void *arg)
{
    struct pg_params params = {0};
    pg_add_text(&params, http_param(req, "secret"));
    api_ask(arg, QUERY_API_SECRET_REMOVE, &params, removed, req);
}

static void opened(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    const struct api *api = http_context(req);
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    if (pg_row_count(answer->rows) == 0) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such attempt that is live on this worker");
        return;
    }
    json_t *values = json_object();
    for (size_t i = 0; i < pg_row_count(answer->rows); i++) {
        struct err err = {0};
        size_t sealed_len, len = 0;
        if (pg_is_null(answer->rows, i, 0))
            continue;
        const char *name = pg_text(answer->rows, i, 0);
        const uint8_t *sealed = pg_bytea(answer->rows, i, 1, &sealed_len);
        char *value = secret_open(api->key, name, sealed, sealed_len, &len, &err);
        if (!value)
            log_error("a secret cannot be opened", LOG_ERR(&err));
        else
            json_object_set_new(values, name, json_stringn(value, len));
        if (value)
            mem_wipe(value, len);
        free(value);
    }
    char token[RUN_TOKEN_SIZE];
    struct uuid attempt = {{0}};
    uuid_parse(http_param(req, "attempt"), &attempt);
    run_token_make(api->key, &attempt, token);
    json_t *body = json_object();
    json_object_set_new(body, "secrets", values);
    json_object_set_new(body, "token", json_string(token));
    api_answer_json(req, body);
}

void api_attempt_secrets(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct uuid attempt;
    struct pg_params params = {0};
    cleanup_json json_t *body = api_body(req);
    if (!body)
        return;
    if (!uuid_parse(http_param(req, "attempt"), &attempt)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such attempt");
        return;
    }
    const json_t *names = json_object_get(body, "names"), *name;
    size_t i;
    pg_add_uuid(&params, &attempt);
    pg_add_text(&params, http_param(req, "worker"));
    pg_array_begin(&params, PG_TEXT);
    json_array_foreach (names, i, name)
        if (json_is_string(name))
            pg_add_text(&params, json_string_value(name));
    pg_array_end(&params);
    http_set_context(req, api);
    api_ask(api, QUERY_API_ATTEMPT_SECRETS, &params, opened, req);
}
