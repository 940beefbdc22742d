#include "tests/support/hook_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/http_talk.h"
#include "triggers/hooks/hooks.h"

static struct {
    const struct hook_provider *provider;
    const struct source *source;
    struct hook_reply *reply;
} call;

static void keep(struct hook_reply *r, const struct draft *draft)
{
    r->type = mem_string(draft->type);
    r->subject = mem_string(draft->subject);
    r->origin = mem_string(draft->origin);
    r->delivery = draft->delivery ? mem_bytes(draft->delivery, draft->delivery_len) : NULL;
    r->delivery_len = draft->delivery_len;
    r->time_us = draft->time_us;
    r->vars = json_incref(draft->vars);
    r->data = json_incref(draft->data);
}

static void receive(struct http_request *req, void *arg)
{
    struct hook_reply *r = call.reply;
    struct delivery d = {.source = call.source, .request = req};
    struct draft draft = {.source = call.source->name};
    struct err err = {0};
    cleanup_json json_t *held = NULL;
    (void)arg;
    d.body = http_body(req, &d.len);
    r->checked = call.provider->check(&d, &err);
    if (r->checked == 0) {
        cleanup_json json_t *body = d.len ? json_read(d.body, d.len, NULL, &err) : NULL;
        r->normalised =
            d.len && !body ? LEAT_EINPUT : call.provider->normalise(&d, body, &draft, &held, &err);
        if (r->normalised == 0)
            keep(r, &draft);
    }
    snprintf(r->error, sizeof r->error, "%s", err.text);
    http_answer(req, 204, NULL, "", 0);
}

void hook_call(const struct hook_provider *provider, const struct source *source,
               const char *headers, const void *body, size_t len, struct hook_reply *reply)
{
    static const struct http_route routes[] = {
        {"POST", "/hooks/:source", receive, NULL, HOOK_BODY_MAX},
        {0},
    };
    struct http_server *server = NULL;
    struct loop *loop = loop_new();
    const int port = http_server_start(loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
    cleanup_text struct text request = {0};
    assert_true(port > 0);
    talk_to(loop, port);
    call.provider = provider;
    call.source = source;
    call.reply = reply;
    memset(reply, 0, sizeof *reply);
    text_printf(&request, "POST /hooks/%s HTTP/1.1\r\nContent-Length: %zu\r\n%s" CLOSE,
                source->name, body ? len : 0, headers);
    if (body)
        text_append(&request, body, len);
    cleanup_free char *answer = exchange_slowly(request.data, request.len, 0, 0);
    expect(answer, "HTTP/1.1 204");
    http_server_stop(server);
    loop_free(loop);
}

void hook_reply_free(struct hook_reply *r)
{
    free(r->type);
    free(r->subject);
    free(r->origin);
    free(r->delivery);
    json_decref(r->vars);
    json_decref(r->data);
    memset(r, 0, sizeof *r);
}

char *hook_signature(const struct source *source, const char *name, const void *body, size_t len)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    hmac_sha256(source->secret, source->secret_len, body, len, digest);
    hex_encode(digest, sizeof digest, hex);
    return mem_printf("%s: sha256=%s\r\n", name, hex);
}
