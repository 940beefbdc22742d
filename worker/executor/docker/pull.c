#include "worker/executor/docker/pull.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/url.h"
#include "common/ir/container.h"
#include "common/text/json.h"

#define LINE_MOST   (1UL << 20)
#define SAY_EVERY   (5 * US_PER_S)
#define LAYERS_MOST 512

struct pull {
    struct engine_call *call;
    const struct pull_events *events;
    void *arg;
    char *image;
    struct text line;
    struct err err;  /* the engine's word; code 0 = none */
    json_t *layers;  /* id: is it there? */
    int64_t said_us; /* 0 = not yet */
    int64_t began_us;
};

/* ---- credentials ---------------------------------------------------------------------------- */

static char *host_of(const char *image)
{
    const size_t first = strcspn(image, "/");
    const bool host =
        image[first] == '/' && (memchr(image, '.', first) || memchr(image, ':', first) ||
                                (first == 9 && memcmp(image, "localhost", 9) == 0));
    return host ? mem_bytes(image, first) : mem_string("https://index.docker.io/v1/");
}

char *pull_auth(const char *image, const char *login)
{
    const char *colon = strchr(login, ':');
    cleanup_free char *host = host_of(image);
    cleanup_free char *user = colon ? mem_bytes(login, (size_t)(colon - login)) : mem_string("");
    json_t *auth = json_pack("{s:s, s:s, s:s}", "username", user, "password",
                             colon ? colon + 1 : login, "serveraddress", host);
    char *text = json_write(auth);
    const size_t len = strlen(text);
    char *out = mem_alloc(4 * ((len + 2) / 3) + 1);
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
    for (char *c = out; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    mem_wipe(text, len);
    free(text);
    json_t *kept = json_object_get(auth, "password");
    mem_wipe((char *)(uintptr_t)json_string_value(kept), json_string_length(kept));
    json_decref(auth);
    return out;
}

/* ---- progress ------------------------------------------------------------------------------- */

static void say(struct pull *p)
{
    const char *id;
    json_t *there;
    size_t done = 0;
    json_object_foreach (p->layers, id, there)
        done += json_is_true(there);
    cleanup_free char *line = mem_printf("leat: pulling image %.200s: %zu of %zu layers are there",
                                         p->image, done, json_object_size(p->layers));
    p->said_us = clock_monotonic_us();
    p->events->said(p->arg, line);
}

static void take_line(struct pull *p, const char *line, size_t len)
{
    cleanup_json json_t *json = json_read(line, len, NULL, NULL);
    const char *error = json_get_string(json, "error", NULL);
    const char *status = json_get_string(json, "status", "");
    const char *id = json_get_string(json, "id", NULL);
    if (error && p->err.code == 0)
        err_set(&p->err, LEAT_EREFUSED, "%.500s", error);
    const bool there =
        strcmp(status, "Pull complete") == 0 || strcmp(status, "Already exists") == 0;
    const bool layer = there || strcmp(status, "Pulling fs layer") == 0;
    if (id && layer && json_object_size(p->layers) < LAYERS_MOST)
        json_object_set_new(p->layers, id, json_boolean(there));
    /* The first time when all of them have been named. */
    const bool first = p->said_us == 0 && id && !layer;
    if (json_object_size(p->layers) > 0 &&
        (first || (p->said_us > 0 && clock_monotonic_us() - p->said_us >= SAY_EVERY)))
        say(p);
}

static bool on_piece(void *arg, int status, const void *data, size_t len)
{
    struct pull *p = arg;
    (void)status;
    text_append(&p->line, data, len);
    size_t from = 0;
    for (char *end;
         from < p->line.len && (end = memchr(p->line.data + from, '\n', p->line.len - from));) {
        take_line(p, p->line.data + from, (size_t)(end - p->line.data) - from);
        from = (size_t)(end - p->line.data) + 1;
    }
    memmove(p->line.data, p->line.data + from, p->line.len - from);
    p->line.len -= from;
    return p->line.len <= LINE_MOST;
}

static void on_done(void *arg, const struct engine_answer *answer, const struct err *err)
{
    struct pull *p = arg;
    p->call = NULL;
    if (p->line.len > 0)
        take_line(p, p->line.data, p->line.len);
    struct err out = p->err;
    if (err && out.code == 0)
        out = *err;
    else if (out.code == 0 && answer->status != 200)
        err_set(&out, answer->status >= 500 ? LEAT_EUNREACHABLE : LEAT_EREFUSED, "%s",
                answer->message);
    if (out.code == 0) {
        cleanup_free char *line =
            mem_printf("leat: image %s is there after %.1f s", p->image,
                       (double)(clock_monotonic_us() - p->began_us) / (double)US_PER_S);
        p->events->said(p->arg, line);
    }
    p->events->done(p->arg, out.code ? &out : NULL);
}

/* ---- the call ------------------------------------------------------------------------------- */

static char *path_of(const char *image)
{
    struct container_image parts;
    cleanup_text struct text out = {0};
    if (container_image_read(image, &parts, NULL) != 0)
        return mem_string("/images/create?fromImage="); /* refused before */
    text_puts(&out, "/images/create?fromImage=");
    url_escape(&out, image, parts.name, NULL);
    text_puts(&out, "&tag=");
    if (parts.digest > 0)
        url_escape(&out, image + parts.digest_at, parts.digest, NULL);
    else if (parts.tag > 0)
        url_escape(&out, image + parts.tag_at, parts.tag, NULL);
    else
        text_puts(&out, "latest");
    return text_take(&out);
}

struct pull *pull_open(struct engine *engine, const char *image, const char *login,
                       const struct pull_events *events, void *arg)
{
    struct pull *p = mem_alloc(sizeof *p);
    p->events = events;
    p->arg = arg;
    p->image = mem_string(image);
    p->layers = json_object();
    p->began_us = clock_monotonic_us();
    cleanup_free char *path = path_of(image);
    cleanup_free char *auth = login && login[0] ? pull_auth(image, login) : NULL;
    const struct engine_request request = {
        .method = "POST", .path = path, .auth = auth, .timeout_us = -1, .piece = on_piece};
    p->call = engine_ask(engine, &request, on_done, p);
    if (auth)
        mem_wipe(auth, strlen(auth));
    return p;
}

void pull_close(struct pull *p)
{
    if (!p)
        return;
    engine_cancel(p->call);
    text_free(&p->line);
    json_decref(p->layers);
    free(p->image);
    free(p);
}
