/* Where a bucket is and how it is read, for the worker that pins an object set of it. The
 * credentials leave here for a worker's token and a live attempt of its own only. */
#include <string.h>

#include "api/api.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/text/json.h"

/* Row: provider, config, name of the secret, sealed. */
static void bucket_known(void *arg, const struct pg_answer *answer)
{
    struct http_request *req = arg;
    const struct api *api = http_context(req);
    if (answer->err) {
        http_answer_err(req, answer->err);
        return;
    }
    if (pg_row_count(answer->rows) == 0) {
        api_refuse(req, LEAT_ENOTFOUND,
                   "no source that is applied has this bucket and credentials for it, or the "
                   "attempt is not live on this worker");
        return;
    }
    struct err err = {0};
    size_t sealed_len, len = 0;
    const char *config = pg_text(answer->rows, 0, 1), *name = pg_text(answer->rows, 0, 2);
    const uint8_t *sealed =
        pg_is_null(answer->rows, 0, 3) ? NULL : pg_bytea(answer->rows, 0, 3, &sealed_len);
    if (!sealed) {
        api_refuse(req, LEAT_ENOTFOUND, "the secret %s has no value: leat secret set %s", name,
                   name);
        return;
    }
    char *value = secret_open(api->key, name, sealed, sealed_len, &len, &err);
    if (!value) {
        log_error("a secret cannot be opened", LOG_S("secret", name), LOG_ERR(&err));
        http_answer_err(req, &err);
        return;
    }
    json_t *body = json_read(config, strlen(config), NULL, NULL);
    json_object_set_new(body, "provider", json_string(pg_text(answer->rows, 0, 0)));
    json_object_set_new(body, "credentials", json_stringn(value, len));
    mem_wipe(value, len);
    free(value);
    api_answer_json(req, body);
}

void api_attempt_bucket(struct http_request *req, void *arg)
{
    struct api *api = arg;
    struct uuid attempt;
    struct pg_params params = {0};
    if (!uuid_parse(http_param(req, "attempt"), &attempt)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such attempt");
        return;
    }
    pg_add_uuid(&params, &attempt);
    pg_add_text(&params, http_param(req, "worker"));
    pg_add_text(&params, http_param(req, "bucket"));
    http_set_context(req, api);
    api_ask(api, QUERY_API_ATTEMPT_BUCKET, &params, bucket_known, req);
}
