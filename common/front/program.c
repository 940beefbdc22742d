#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/ir/container.h"
#include "common/text/json.h"

#define DAY_US          (86400 * US_PER_S)
#define TIMEOUT_MAX     (366 * DAY_US)
#define LOST_AFTER_MIN  (10 * US_PER_S) /* a worker's lease: sooner nothing can be known */
#define LOST_AFTER_MAX  (30 * DAY_US)
#define GRACE_MIN       (100 * US_PER_MS)
#define GRACE_MAX       (3600 * US_PER_S)
#define HEARTBEAT_MIN   US_PER_S
#define LOG_LIMIT_USUAL (64LL << 20)

static struct scope scope_of(size_t step, unsigned roots, const char *where)
{
    return (struct scope){.roots = roots, .where = where, .step = (int32_t)step};
}

static void read_template(struct front *f, size_t step, const char *key, unsigned roots)
{
    const struct scope scope = scope_of(step, roots, key);
    const json_t *value = front_field(f, step, key);
    scope_put_template(f, &scope, value, f->step[step].out, key);
}

/* command or args: each element for itself. */
static void read_argv(struct front *f, size_t step, const char *key)
{
    const struct scope scope = scope_of(step, SCOPE_OF_ARGV, key);
    const json_t *list = front_own(f, step, key);
    const size_t mark = f->at.len;
    json_t *out = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        front_at_cut(f, mark);
        front_at_index(f, i);
        scope_template(f, &scope, json_string_value(item));
        json_array_append(out, item);
    }
    json_object_set_new(f->step[step].out, key, out);
}

/* Something has to be run: a program, or an image that knows its own. */
static void check_program(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const char *executor = json_get_string(s->out, "executor", "");
    const json_t *command = json_object_get(s->out, "command");
    const json_t *first = json_array_get(command, 0);
    front_at_step(f, step, "command", NULL);
    if (first && json_string_length(first) == 0)
        front_problem(f, "command: the program's name is empty");
    front_at_step(f, step, NULL);
    if (strcmp(executor, "docker") == 0 && !json_object_get(s->out, "image"))
        front_key_problem(f, "step %s: executor docker needs an image", s->name);
    if (strcmp(executor, "noop") == 0 || first)
        return;
    if (strcmp(executor, "process") == 0)
        front_key_problem(f, "step %s: executor process needs a command", s->name);
    else if (!json_object_get(s->out, "image"))
        front_key_problem(f, "step %s: needs a command, an image, or executor: noop", s->name);
}

static void read_env_of(struct front *f, size_t step, const json_t *env, json_t *out)
{
    const struct scope scope = scope_of(step, SCOPE_OF_ARGV, "env");
    const size_t mark = f->at.len;
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)env, name, value) {
        json_pointer_add(&f->at, name);
        if (text_starts_with(name, "LEAT_"))
            front_key_problem(f, "env %s: names that begin with LEAT_ are set by Leat", name);
        scope_put_template(f, &scope, value, out, name);
        front_at_cut(f, mark);
    }
}

static void read_env(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *defaults = json_get_object(json_get_object(s->unit->root, "defaults"), "env");
    json_t *out = json_object();
    front_use(f, s->unit);
    front_at(f, "defaults", "env", NULL);
    read_env_of(f, step, defaults, out);
    read_env_of(f, step, front_own(f, step, "env"), out);
    front_few(f, "environment variables", out, IR_ENTRIES_MAX);
    json_object_set_new(s->out, "env", out);
}

static void read_resources(struct front *f, size_t step)
{
    const json_t *resources = front_field(f, step, "resources");
    text_puts(&f->at, "/memory");
    const int64_t memory = front_size(f, json_object_get(resources, "memory"), 0);
    json_object_set_new(
        f->step[step].out, "resources",
        json_pack("{s:I, s:f, s:I, s:I}", "slots", (json_int_t)json_get_int(resources, "slots", 1),
                  "cpu", json_get_double(resources, "cpu", 0.0), "memory", (json_int_t)memory,
                  "gpu", (json_int_t)json_get_int(resources, "gpu", 0)));
}

static void read_secrets(struct front *f, size_t step)
{
    const json_t *secrets = front_field(f, step, "secrets");
    const size_t mark = f->at.len;
    json_t *out = json_array(), *name;
    size_t i, k;
    json_array_foreach (secrets, i, name) {
        front_at_cut(f, mark);
        front_at_index(f, i);
        for (k = 0; k < i && !json_equal(json_array_get(secrets, k), name); k++)
            continue;
        if (k < i)
            front_problem(f, "secret %s is named twice", json_string_value(name));
        if (!front_spend(f, json_string_length(name)))
            break;
        json_array_append(out, name);
    }
    json_object_set_new(f->step[step].out, "secrets", out);
}

/* Times, place and limits: plain values without references. */
static void read_plain(struct front *f, size_t step)
{
    static const struct {
        const char *key, *out;
        int64_t least, most;
    } DURATIONS[] = {
        {"timeout", "timeout_us", 0, TIMEOUT_MAX},
        {"lost_after", "lost_after_us", LOST_AFTER_MIN, LOST_AFTER_MAX},
        {"grace", "grace_us", GRACE_MIN, GRACE_MAX},
    };
    json_t *out = f->step[step].out;
    for (size_t i = 0; i < ARRAY_LEN(DURATIONS); i++) {
        const json_t *value = front_field(f, step, DURATIONS[i].key);
        json_object_set_new(
            out, DURATIONS[i].out,
            json_integer(front_duration(f, value, DURATIONS[i].least, DURATIONS[i].most, 0)));
    }
    const json_t *limit = front_field(f, step, "log_limit");
    json_object_set_new(out, "log_limit", json_integer(front_size(f, limit, LOG_LIMIT_USUAL)));
    const json_t *executor = front_field(f, step, "executor");
    if (executor)
        json_object_set(out, "executor", (json_t *)executor);
    const json_t *pool = front_field(f, step, "pool");
    if (pool && strcmp(json_string_value(pool), "default") != 0)
        json_object_set(out, "pool", (json_t *)pool);
}

/* ---- what only format 2 has -------------------------------------------------------------------
 */

/* Where there is somebody who knows. */
static void check_limit(struct front *f, size_t step, const char *name)
{
    struct ir_found found = {0};
    front_at_step(f, step, "limits", NULL);
    if (f->resolver && front_resolve(f, IR_REFERENCE_LIMIT, name, &found))
        ir_found_free(&found);
}

static void read_limits(struct front *f, size_t step)
{
    const json_t *limits = front_own(f, step, "limits");
    json_t *all = json_object(), *value;
    const char *name;
    size_t i;
    front_few(f, "limits", limits, IR_LIMITS_MAX);
    json_object_foreach ((json_t *)limits, name, value)
        json_object_set(all, name, value);
    json_array_foreach (limits, i, value) {
        if (json_object_get(all, json_string_value(value)))
            front_problem(f, "limits: %s is named twice; write {%s: 2} for two of it",
                          json_string_value(value), json_string_value(value));
        json_object_set_new(all, json_string_value(value), json_integer(1));
    }
    json_object_foreach (all, name, value)
        check_limit(f, step, name);
    if (limits)
        front_put(f, f->step[step].out, "limits", all);
    else
        json_decref(all);
}

/* A text that names a bucket, whose content the key of a cached result would not know. */
static bool names_bucket(const json_t *value)
{
    static const char *const SIGNS[] = {"s3://", "gs://", "event.data.bucket", "event.data.object"};
    size_t i;
    const char *key;
    json_t *item;
    for (i = 0; json_is_string(value) && i < ARRAY_LEN(SIGNS); i++) {
        if (strstr(json_string_value(value), SIGNS[i]))
            return true;
    }
    json_array_foreach (value, i, item) {
        if (names_bucket(item))
            return true;
    }
    json_object_foreach ((json_t *)value, key, item) {
        if (names_bucket(item))
            return true;
    }
    return false;
}

static bool has_pinned_input(const json_t *source)
{
    const char *name;
    json_t *input;
    json_object_foreach (json_object_get(source, "inputs"), name, input) {
        if (json_object_get(input, "objects") || json_object_get(input, "object"))
            return true;
    }
    return false;
}

/* A tag may be another image tomorrow, and the scheduler asks no registry. What an expression gives
 * is seen when the step begins. */
static void check_cached_image(struct front *f, size_t step)
{
    const json_t *out = f->step[step].out;
    const char *image = json_get_string(out, "image", "");
    const char *executor = json_get_string(out, "executor", "docker");
    front_at_step(f, step, "cache", NULL);
    if (*image && strcmp(executor, "docker") == 0 && !strstr(image, "${{") &&
        !strstr(image, "@sha256:"))
        front_problem(
            f,
            "cache: image %s is named by a tag, which may be another image tomorrow: name "
            "it by its digest, NAME@sha256:…, or apply it with "
            "--pin-images",
            image);
}

static void read_cache(struct front *f, size_t step)
{
    static const char *const TEXTS[] = {"command", "args", "env", "workdir"};
    const json_t *cache = front_own(f, step, "cache");
    const json_t *source = f->step[step].source;
    if (!cache)
        return;
    for (size_t i = 0; i < ARRAY_LEN(TEXTS) && !has_pinned_input(source); i++) {
        if (!names_bucket(json_object_get(f->step[step].out, TEXTS[i])))
            continue;
        front_problem(f,
                      "cache: %s names a bucket, and what is in it is no part of the key: take it "
                      "as an input, inputs: {NAME: {objects: {bucket: …}}}",
                      TEXTS[i]);
        break;
    }
    check_cached_image(f, step);
    front_at_step(f, step, "cache", "ttl", NULL);
    const int64_t ttl = front_duration(f, json_object_get(cache, "ttl"), US_PER_S, TIMEOUT_MAX, 0);
    front_put(f, f->step[step].out, "cache", json_pack("{s:I}", "ttl_us", (json_int_t)ttl));
}

/* Never tried again by itself: neither after a failure nor after the loss of its worker. */
static void read_at_most_once(struct front *f, size_t step)
{
    static const struct {
        const char *key;
        int64_t most;
    } TRIES[] = {{"attempts", 1}, {"lost", 0}};
    const json_t *source = f->step[step].source;
    json_t *retry = json_object_get(f->step[step].out, "retry");
    if (!json_get_bool(source, "at_most_once", false))
        return;
    for (size_t i = 0; i < ARRAY_LEN(TRIES); i++) {
        front_at_step(f, step, "retry", TRIES[i].key, NULL);
        if (json_get_int(json_object_get(source, "retry"), TRIES[i].key, 0) > TRIES[i].most)
            front_problem(f, "%s: a step with at_most_once is never tried again by itself",
                          TRIES[i].key);
    }
    json_object_set_new(retry, "attempts", json_integer(1));
    json_object_set_new(retry, "lost", json_integer(0));
    front_put(f, f->step[step].out, "at_most_once", json_true());
}

static void read_more(struct front *f, size_t step)
{
    json_t *out = f->step[step].out;
    const json_t *priority = front_own(f, step, "priority");
    if (priority && json_integer_value(priority) != 0)
        front_put(f, out, "priority", json_incref((json_t *)priority));
    const int64_t queue = front_duration(f, front_own(f, step, "queue_timeout"), 0, TIMEOUT_MAX, 0);
    if (queue > 0)
        front_put(f, out, "queue_timeout_us", json_integer(queue));
    const int64_t heartbeat =
        front_duration(f, front_own(f, step, "heartbeat"), HEARTBEAT_MIN, TIMEOUT_MAX, 0);
    if (heartbeat > 0)
        front_put(f, out, "heartbeat_us", json_integer(heartbeat));
    read_limits(f, step);
    read_cache(f, step);
    read_at_most_once(f, step);
}

/* By its digest from here on, where whoever has the file compiled knows it. */
static void pin_image(struct front *f, size_t step)
{
    json_t *out = f->step[step].out;
    const char *image = json_get_string(out, "image", "");
    struct container_image parts;
    struct ir_found found = {0};
    struct err err = {0};
    if (!*image || strstr(image, "${{") || !f->resolver ||
        container_image_read(image, &parts, &err) < 0 || parts.digest)
        return;
    front_at_step(f, step, "image", NULL);
    if (front_resolve(f, IR_REFERENCE_IMAGE, image, &found) && found.bytes) {
        cleanup_free char *pinned = mem_printf("%.*s@%s", (int)parts.name, image, found.bytes);
        if (container_image_read(pinned, &parts, &err) < 0)
            front_problem(f, "image %s: %s", image, err.text);
        json_object_set_new(out, "image", json_string(pinned));
    }
    ir_found_free(&found);
}

void front_program(struct front *f, size_t step)
{
    json_object_set_new(f->step[step].out, "kind", json_string("run"));
    read_plain(f, step);
    front_retry(f, step);
    read_resources(f, step);
    read_secrets(f, step);
    read_template(f, step, "image", SCOPE_OF_STEP);
    pin_image(f, step);
    read_template(f, step, "workdir", SCOPE_OF_ARGV);
    read_argv(f, step, "command");
    read_argv(f, step, "args");
    check_program(f, step);
    front_container(f, step);
    read_env(f, step);
    front_inputs(f, step);
    read_more(f, step);
}
