#include "worker/attempt/secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/text/json.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

#define TRIES       10
#define RESERVED    "leat.token" /* no secret: asks for LEAT_TOKEN_FILE alone */
#define TRY_WAIT_US (3 * US_PER_S)

struct fetch {
    struct attempt *attempt;
    secrets_done *done;
    void *arg;
    char *url, *body, *authorization;
    int tries;
    struct loop_timer again;
};

/* One folder for each data folder, so that workers of one machine keep out of each other's way. */
int secrets_open(struct worker *w, struct err *err)
{
    char hash[SHA256_HEX];
    sha256_hex(w->config->data, strlen(w->config->data), hash);
    w->secrets = mem_printf("%s/leat-%u-%.12s", w->config->secrets, (unsigned)geteuid(), hash);
    struct stat st;
    if (folder_make(w->secrets, 0700, err) != 0)
        return LEAT_EIO;
    if (lstat(w->secrets, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0)
        return err_set(err, LEAT_EREFUSED, "%s is not a private folder of ours", w->secrets);
    return 0;
}

char *secrets_folder(const struct attempt *a)
{
    return mem_printf("%s/%s", a->worker->secrets, a->id_text);
}

static const char *login_name(const struct attempt *a)
{
    const struct order_container *c = a->order.start->container;
    return c ? c->registry_secret : NULL;
}

bool secrets_needed(const struct attempt *a)
{
    return a->order.start->secrets_count > 0 || login_name(a);
}

void secrets_forget_login(struct attempt *a)
{
    if (a->login)
        mem_wipe(a->login, strlen(a->login));
    free(TAKE(a->login));
}

void secrets_remove(struct attempt *a)
{
    if (!a->order.start || a->order.start->secrets_count == 0)
        return;
    cleanup_free char *folder = secrets_folder(a);
    tree_remove_now(folder);
}

static void finish(struct fetch *f, const struct err *err)
{
    f->done(f->arg, err);
    loop_timer_stop(&f->again);
    free(f->url);
    free(f->body);
    if (f->authorization)
        mem_wipe(f->authorization, strlen(f->authorization));
    free(f->authorization);
    free(f);
}

/* ---- the files
 * ----------------------------------------------------------------------------------- */

/* A container's user may be any. The folder above is ours alone, and the mount is read-only. */
static int write_one(const struct attempt *a, const char *folder, const char *name,
                     const char *value, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/%s", folder, name);
    const int rc = file_write(path, value, strlen(value), 0400, err);
    if (rc == 0 && attempt_in_container(a) && chmod(path, 0444) != 0)
        return err_errno(err, errno, "%s", path);
    return rc;
}

static int write_named(const struct attempt *a, const char *folder, const json_t *secrets,
                       struct err *err)
{
    for (size_t i = 0; i < a->order.start->secrets_count; i++) {
        const char *name = a->order.start->secrets[i];
        if (strcmp(name, RESERVED) == 0)
            continue;
        const char *value = json_get_string(secrets, name, NULL);
        if (!value || !file_name_ok(name))
            return err_set(err, LEAT_ENOTFOUND, "there is no secret %s", name);
        if (write_one(a, folder, name, value, err) != 0)
            return err->code;
    }
    return 0;
}

static int write_files(const struct attempt *a, const json_t *answer, struct err *err)
{
    cleanup_free char *folder = secrets_folder(a);
    cleanup_free char *link = attempt_path(a, "secrets");
    const char *token = json_get_string(answer, "token", NULL);
    const mode_t mode = attempt_in_container(a) ? 0755 : 0700;
    if (a->order.start->secrets_count == 0)
        return 0;
    if (folder_make(folder, mode, err) != 0)
        return err->code;
    if (chmod(folder, mode) != 0)
        return err_errno(err, errno, "%s", folder);
    if (symlink(folder, link) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", link);
    if (token && write_one(a, folder, ".token", token, err) != 0)
        return err->code;
    return write_named(a, folder, json_get_object(answer, "secrets"), err);
}

static int keep_login(struct attempt *a, const json_t *answer, struct err *err)
{
    const char *name = login_name(a);
    const char *value =
        name ? json_get_string(json_get_object(answer, "secrets"), name, NULL) : NULL;
    if (!name)
        return 0;
    if (!value || !strchr(value, ':'))
        return err_set(err, LEAT_EINPUT,
                       "registry_secret: there is no secret %s of the form "
                       "USER:PASSWORD",
                       name);
    a->login = mem_string(value);
    return 0;
}

/* ---- the call
 * ------------------------------------------------------------------------------------ */

static void ask(void *arg);

static void wipe(json_t *answer)
{
    const char *name;
    json_t *value;
    json_object_foreach (json_get_object(answer, "secrets"), name, value)
        if (json_is_string(value))
            mem_wipe((char *)json_string_value(value), json_string_length(value));
    json_decref(answer);
}

static int use(const struct fetch *f, const struct http_incoming *in, struct err *err)
{
    if (in->status != 200)
        return err_set(err, in->status >= 500 ? LEAT_EUNREACHABLE : LEAT_EREFUSED,
                       "the API answered %d", in->status);
    json_t *answer = json_read(in->body, in->len, NULL, err);
    if (!answer)
        return err->code;
    int rc = write_files(f->attempt, answer, err);
    if (rc == 0)
        rc = keep_login(f->attempt, answer, err);
    wipe(answer);
    return rc;
}

static void answered(void *arg, const struct http_incoming *in, const struct err *failed)
{
    struct fetch *f = arg;
    struct err err = {0};
    if (failed)
        err = *failed;
    else if (use(f, in, &err) == 0) {
        finish(f, NULL);
        return;
    }
    const bool may_come = err.code == LEAT_EUNREACHABLE || err.code == LEAT_EUNKNOWN;
    if (may_come && ++f->tries < TRIES && !f->attempt->asked) {
        loop_timer_start(f->attempt->worker->loop, &f->again, TRY_WAIT_US, 0, ask, f);
        return;
    }
    err_wrap(&err, "secrets could not be fetched");
    finish(f, &err);
}

static void ask(void *arg)
{
    struct fetch *f = arg;
    const struct http_header headers[] = {
        {"Content-Type", "application/json"},
        {f->authorization ? "Authorization" : NULL, f->authorization},
        {0},
    };
    const struct http_outgoing call = {
        .method = "POST",
        .url = f->url,
        .headers = headers,
        .body = f->body,
        .body_len = strlen(f->body),
        .timeout_us = 10 * US_PER_S,
        .max_answer = 8 << 20,
    };
    http_send(f->attempt->worker->http, &call, answered, f);
}

static char *names_of(const struct attempt *a)
{
    const struct order_start *start = a->order.start;
    cleanup_json json_t *names = json_array();
    if (login_name(a))
        json_array_append_new(names, json_string(login_name(a)));
    for (size_t i = 0; i < start->secrets_count; i++)
        json_array_append_new(names, json_string(start->secrets[i]));
    cleanup_json json_t *body = json_object();
    json_object_set(body, "names", names);
    return json_write(body);
}

void secrets_fetch(struct attempt *a, secrets_done *done, void *arg)
{
    const struct worker *w = a->worker;
    cleanup_text struct text id = {0};
    url_escape(&id, w->id, strlen(w->id), NULL);
    struct fetch *f = mem_alloc(sizeof *f);
    *f = (struct fetch){
        .attempt = a,
        .done = done,
        .arg = arg,
        .url = mem_printf("%s/api/v1/workers/%s/attempts/%s/secrets", w->config->api, id.data,
                          a->id_text),
        .body = names_of(a),
        .authorization = w->token ? mem_printf("Bearer %s", w->token) : NULL,
    };
    ask(f);
}
