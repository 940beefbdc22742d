#include "cli/up/ready.h"

#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/text/json.h"

#define TOKEN_FILE_MAX 256

/* Off loopback the API wants its token of everybody, also of us; NULL on it, and before it is
 * there.
 */
static char *bearer_of(const struct up_settings *s)
{
    if (address_is_loopback(s->listen))
        return NULL;
    size_t len = 0;
    cleanup_free char *path = mem_printf("%s/token", s->data);
    cleanup_free char *token = file_read(path, TOKEN_FILE_MAX, &len, NULL);
    if (!token)
        return NULL;
    token[strcspn(token, "\r\n")] = '\0';
    char *bearer = mem_printf("Bearer %s", token);
    mem_wipe(token, len);
    return bearer;
}

static int call(const char *address, const char *path, const char *bearer, json_t **answer,
                struct err *err)
{
    cleanup_free char *url = mem_printf("http://%s%s", address, path);
    const struct http_header headers[] = {{bearer ? "Authorization" : NULL, bearer}, {0}};
    const struct http_outgoing out = {.url = url, .headers = headers, .timeout_us = 2 * US_PER_S};
    struct http_incoming in = {0};
    int rc = http_call(&out, NULL, NULL, &in, err);
    if (rc < 0)
        return rc;
    if (in.status != 200)
        rc = err_set(err, LEAT_EUNREACHABLE, "%s answers %d", path, in.status);
    else if (answer)
        *answer = json_read(in.body, in.len, NULL, err);
    http_incoming_free(&in);
    return rc;
}

static int check_status(const json_t *status, const struct up_settings *s, struct err *err)
{
    const json_t *leader = json_object_get(status, "leader");
    const json_t *workers = json_object_get(status, "workers");
    if (!json_get_bool(leader, "beating", false))
        return err_set(err, LEAT_EUNREACHABLE, "no scheduler leads yet (see %s/scheduler.log)",
                       s->log);
    if (json_get_int(workers, "active", 0) < 1)
        return err_set(err, LEAT_EUNREACHABLE, "no worker is active yet (see %s/worker.log)",
                       s->log);
    return 0;
}

int up_ready(const struct up_settings *settings, struct err *err)
{
    cleanup_json json_t *status = NULL;
    if (call(settings->hooks, "/healthz", NULL, NULL, err) < 0)
        return err_set(err, LEAT_EUNREACHABLE, "%s does not answer yet (see %s/triggers.log)",
                       settings->hooks, settings->log);
    cleanup_free char *bearer = bearer_of(settings);
    if (call(settings->listen, "/api/v1/status", bearer, &status, err) < 0 || !status)
        return err_set(err, LEAT_EUNREACHABLE, "%s does not answer yet (see %s/api.log)",
                       settings->listen, settings->log);
    return check_status(status, settings, err);
}
