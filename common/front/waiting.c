/* Steps that run no program: a wait for an event, an approval, a run of another pipeline. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/text/json.h"

#define TIMEOUT_MAX (366 * 86400 * US_PER_S)
#define WAIT_MIN    US_PER_S
#define WAIT_USUAL  (7 * 86400 * US_PER_S) /* nothing waits for ever: every run ends */

static void put_copy(json_t *out, const char *key, const json_t *from)
{
    json_t *value = json_object_get(from, key);
    if (value)
        json_object_set(out, key, value);
}

static void put_kind(struct front *f, size_t step, const char *kind, json_t *out)
{
    front_put(f, f->step[step].out, "kind", json_string(kind));
    front_put(f, f->step[step].out, kind, out);
}

static void read_timeout(struct front *f, size_t step, int64_t least, int64_t usual)
{
    const int64_t timeout =
        front_duration(f, front_own(f, step, "timeout"), least, TIMEOUT_MAX, usual);
    if (timeout > 0)
        json_object_set_new(f->step[step].out, "timeout_us", json_integer(timeout));
}

static void read_wait(struct front *f, size_t step)
{
    /* `event` is the one that may be waited for; git variables are of the one that began the run.
     */
    const struct scope scope = {
        .roots = SCOPE_OF_STEP & ~SCOPE_VARS, .where = "filter", .step = (int32_t)step};
    const json_t *wait = front_own(f, step, "wait");
    const char *filter = json_get_string(wait, "filter", NULL);
    json_t *out = json_object();
    put_copy(out, "type", wait);
    put_copy(out, "source", wait);
    front_at_step(f, step, "wait", "filter", NULL);
    if (filter && scope_condition(f, &scope, filter))
        put_copy(out, "filter", wait);
    put_kind(f, step, "wait", out);
    read_timeout(f, step, WAIT_MIN, WAIT_USUAL);
}

static void read_approval(struct front *f, size_t step)
{
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "message", .step = (int32_t)step};
    const json_t *approval = front_own(f, step, "approval");
    json_t *out = json_object();
    put_copy(out, "by", approval);
    json_object_set_new(out, "on_timeout",
                        json_string(json_get_string(approval, "on_timeout", "fail")));
    front_at_step(f, step, "approval", "message", NULL);
    scope_put_template(f, &scope, json_object_get(approval, "message"), out, "message");
    put_kind(f, step, "approval", out);
    read_timeout(f, step, WAIT_MIN, WAIT_USUAL);
}

/* The other pipeline as it is now; by the time of the run it may be another, which is checked then.
 */
static void check_started(struct front *f, size_t step, const char *pipeline, const json_t *given)
{
    cleanup_json json_t *ir = front_pipeline(f, step, IR_REFERENCE_START, pipeline);
    const json_t *params = json_object_get(ir, "params");
    const char *name;
    json_t *value;
    size_t i;
    if (!ir)
        return;
    json_object_foreach ((json_t *)given, name, value) {
        cleanup_free char *text = front_template_of(value);
        front_at_step(f, step, "start", "params", name, NULL);
        front_given(f, params, name, value, text);
    }
    front_at_step(f, step, "start", NULL);
    json_array_foreach (params, i, value) {
        name = json_get_string(value, "name", "");
        if (!json_object_get(value, "default") && !json_object_get(given, name))
            front_problem(f, "params: pipeline %s must be given %s, it has no default", pipeline,
                          name);
    }
}

static void read_start(struct front *f, size_t step)
{
    struct scope scope = {.roots = SCOPE_OF_STEP, .where = "params", .step = (int32_t)step};
    const json_t *start = front_own(f, step, "start");
    const char *pipeline = json_get_string(start, "pipeline", ""), *name;
    json_t *params = json_object(), *value, *given = json_object_get(start, "params");
    front_at_step(f, step, "start", "params", NULL);
    front_few(f, "parameters", given, IR_PARAMS_MAX);
    json_object_foreach (given, name, value) {
        cleanup_free char *text = front_template_of(value);
        front_at_step(f, step, "start", "params", name, NULL);
        if (scope_template(f, &scope, text))
            json_object_set_new(params, name, json_string(text));
    }
    json_t *out = json_pack("{s:s, s:o, s:b}", "pipeline", pipeline, "params", params, "wait",
                            json_get_bool(start, "wait", true));
    scope.where = "name";
    front_at_step(f, step, "start", "name", NULL);
    scope_put_template(f, &scope, json_object_get(start, "name"), out, "name");
    front_at_step(f, step, "start", "pipeline", NULL);
    check_started(f, step, pipeline, given);
    put_kind(f, step, "start", out);
    read_timeout(f, step, 0, 0);
    front_retry_all(f, step);
}

void front_waiting(struct front *f, size_t step)
{
    if (f->step[step].shape == FRONT_WAIT)
        read_wait(f, step);
    else if (f->step[step].shape == FRONT_APPROVAL)
        read_approval(f, step);
    else
        read_start(f, step);
}
