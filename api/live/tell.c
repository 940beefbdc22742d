/* The events of a stream, as docs/api.md says. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "api/live/internal.h"
#include "api/live/sse.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static void tell(struct reader *r, const char *name, json_t *data)
{
    cleanup_text struct text id = {0}, out = {0};
    position_write(&r->position, &id);
    sse_event(&out, name, id.data, data);
    json_decref(data);
    reader_write(r, &out);
}

static json_t *run_json(const struct view *v)
{
    char run[UUID_TEXT];
    uuid_format(&v->run, run);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "run", run, "name", v->name, "pipeline",
                     v->pipeline, "state", machine_state_name(&MACHINE_RUN, v->state), "reason",
                     v->reason ? v->reason : "");
}

void tell_run(struct reader *r)
{
    tell(r, "run", run_json(&r->watch->view));
}

void tell_end(struct reader *r)
{
    tell(r, "end", run_json(&r->watch->view));
}

static json_t *step_json(const struct reader *r, const struct cell *c, int32_t attempt)
{
    return json_pack("{s:s, s:i, s:i, s:i}", "step", view_step_name(&r->watch->view, c->key.step),
                     "index", c->key.step, "iteration", c->key.iteration, "attempt", attempt);
}

void tell_step(struct reader *r, const struct cell *c)
{
    json_t *data = step_json(r, c, c->attempt);
    json_object_set_new(data, "state", json_string(machine_state_name(&MACHINE_STEP, c->state)));
    json_object_set_new(data, "reason", json_string(c->reason ? c->reason : ""));
    tell(r, "step", data);
}

static json_t *base64(const char *data, size_t len)
{
    cleanup_free char *out = mem_alloc(4 * (len / 3 + 1) + 1);
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)data, (int)len);
    return json_string(out);
}

void tell_log(struct reader *r, const struct cell *c, const struct begun *b, const char *data,
              size_t len, bool is_text, bool truncated)
{
    json_t *log = step_json(r, c, b->attempt);
    json_object_set_new(log, "offset", json_integer(b->total - (int64_t)len));
    if (truncated)
        json_object_set_new(log, "truncated", json_true());
    else if (is_text)
        json_object_set_new(log, "text", json_stringn(data, len));
    else
        json_object_set_new(log, "base64", base64(data, len));
    tell(r, "log", log);
}
