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
#define BACKOFF_MAX     (7 * DAY_US)
#define LOG_LIMIT_USUAL (64LL << 20)

static struct scope scope_of(size_t step, unsigned roots, const char *where)
{
    return (struct scope){.roots = roots, .where = where, .step = (int32_t)step};
}

static void read_template(struct front *f, size_t step, const char *key, unsigned roots)
{
    const struct scope scope = scope_of(step, roots, key);
    const json_t *value = front_field(f, &f->step[step], key);
    scope_put_template(f, &scope, value, f->step[step].out, key);
}

static void read_when(struct front *f, size_t step)
{
    const struct scope scope = scope_of(step, SCOPE_OF_STEP, "when");
    const json_t *when = front_field(f, &f->step[step], "when");
    if (when && scope_condition(f, &scope, json_string_value(when)))
        json_object_set(f->step[step].out, "when", (json_t *)when);
}

/* command or args: each element for itself. */
static void read_argv(struct front *f, size_t step, const char *key)
{
    const struct scope scope = scope_of(step, SCOPE_OF_ARGV, key);
    const json_t *list = json_object_get(f->step[step].source, key);
    json_t *out = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        front_at(f, "steps", f->step[step].name, key, NULL);
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
    front_at(f, "steps", s->name, "command", NULL);
    if (first && json_string_length(first) == 0)
        front_problem(f, "command: the program's name is empty");
    front_at(f, "steps", s->name, NULL);
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
        f->at.len = mark;
        f->at.data[mark] = '\0';
    }
}

static void read_env(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *defaults = json_get_object(json_get_object(f->root, "defaults"), "env");
    json_t *out = json_object();
    front_at(f, "defaults", "env", NULL);
    read_env_of(f, step, defaults, out);
    front_at(f, "steps", s->name, "env", NULL);
    read_env_of(f, step, json_object_get(s->source, "env"), out);
    front_few(f, "environment variables", out, IR_ENTRIES_MAX);
    json_object_set_new(s->out, "env", out);
}

static void read_outputs(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *outputs = json_object_get(s->source, "outputs");
    json_t *all = json_object(), *value;
    const char *name;
    front_at(f, "steps", s->name, "outputs", NULL);
    front_few(f, "outputs", outputs, IR_ENTRIES_MAX);
    json_object_foreach ((json_t *)outputs, name, value) {
        front_at(f, "steps", s->name, "outputs", name, NULL);
        front_plain_name(f, "output", name);
        if (!front_spend(f, strlen(name)))
            break;
        json_object_set_new(all, name,
                            json_pack("{s:s, s:b}", "type",
                                      json_get_string(value, "type", "artifact"), "optional",
                                      json_get_bool(value, "optional", false)));
    }
    json_object_set_new(s->out, "outputs", all);
}

static void read_need(struct front *f, size_t step, const json_t *name)
{
    char near[FRONT_HINT];
    const int32_t needed = names_find(f->steps, json_string_value(name));
    if (needed >= 0)
        front_need(f, step, needed);
    else
        front_problem(f, "needs: there is no step %s%s", json_string_value(name),
                      front_hint(f, f->steps, json_string_value(name), near));
}

static void read_needs(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *needs = json_object_get(s->source, "needs");
    size_t i;
    json_t *name;
    front_at(f, "steps", s->name, "needs", NULL);
    if (json_is_string(needs))
        read_need(f, step, needs);
    json_array_foreach (needs, i, name) {
        front_at(f, "steps", s->name, "needs", NULL);
        front_at_index(f, i);
        read_need(f, step, name);
    }
}

static json_t *retry_on(const json_t *on)
{
    static const char *const WORDS[] = {"failed", "timed_out", "lost"};
    json_t *out = json_array();
    for (size_t w = 0; w < ARRAY_LEN(WORDS); w++) {
        bool wanted = on == NULL;
        for (size_t i = 0; i < json_array_size(on); i++)
            wanted = wanted || strcmp(json_string_value(json_array_get(on, i)), WORDS[w]) == 0;
        if (wanted)
            json_array_append_new(out, json_string(WORDS[w]));
    }
    return out;
}

static void read_retry(struct front *f, size_t step)
{
    const json_t *retry = front_field(f, &f->step[step], "retry");
    const json_t *backoff = json_object_get(retry, "backoff");
    const size_t mark = f->at.len;
    text_puts(&f->at, "/backoff/first");
    const int64_t first =
        front_duration(f, json_object_get(backoff, "first"), 0, BACKOFF_MAX, US_PER_S);
    f->at.len = mark;
    text_puts(&f->at, "/backoff/cap");
    const int64_t cap = front_duration(f, json_object_get(backoff, "cap"), 0, BACKOFF_MAX,
                                       first > 300 * US_PER_S ? first : 300 * US_PER_S);
    if (cap < first)
        front_problem(f, "cap: must not be below first");
    json_object_set_new(f->step[step].out, "retry",
                        json_pack("{s:I, s:I, s:I, s:f, s:o, s:I}", "attempts",
                                  (json_int_t)json_get_int(retry, "attempts", 1), "first_us",
                                  (json_int_t)first, "cap_us", (json_int_t)cap, "factor",
                                  json_get_double(backoff, "factor", 2.0), "on",
                                  retry_on(json_object_get(retry, "on")), "lost",
                                  (json_int_t)json_get_int(retry, "lost", 5)));
}

static void read_resources(struct front *f, size_t step)
{
    const json_t *resources = front_field(f, &f->step[step], "resources");
    text_puts(&f->at, "/memory");
    const int64_t memory = front_size(f, json_object_get(resources, "memory"), 0);
    json_object_set_new(
        f->step[step].out, "resources",
        json_pack("{s:I, s:f, s:I, s:I}", "slots", (json_int_t)json_get_int(resources, "slots", 1),
                  "cpu", json_get_double(resources, "cpu", 0.0), "memory", (json_int_t)memory,
                  "gpu", (json_int_t)json_get_int(resources, "gpu", 0)));
}

/* What is final already is held against the rules that the worker has for all. */
static void check_literal(struct front *f, size_t step, const char *key,
                          int (*check)(const char *text, struct err *err))
{
    const json_t *value = front_field(f, &f->step[step], key);
    const char *text = json_string_value(value);
    struct err err = {0};
    if (text && !strstr(text, "${{") && check(text, &err) != 0)
        front_problem(f, "%s", err.text);
}

static int image_check(const char *text, struct err *err)
{
    struct container_image image;
    return container_image_read(text, &image, err);
}

/* A relative workdir is below the attempt's folder, which only processes have. */
static int workdir_check(const char *text, struct err *err)
{
    return container_workdir_check(text, err);
}

static bool may_be_container(const struct front_step *s)
{
    const char *executor = json_get_string(s->out, "executor", "");
    return strcmp(executor, "docker") == 0 ||
           (executor[0] == '\0' && json_object_get(s->out, "image"));
}

static void read_container(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *container = front_field(f, s, "container");
    const size_t mark = f->at.len;
    struct err err = {0};
    if (container) {
        json_t *out = json_deep_copy(container);
        text_puts(&f->at, "/shm");
        const json_t *shm = json_object_get(container, "shm");
        const int64_t bytes = front_size(f, shm, CONTAINER_SHM_USUAL);
        if (shm && bytes < CONTAINER_SHM_MIN)
            front_problem(f, "shm: must be at least %d bytes", CONTAINER_SHM_MIN);
        if (shm)
            json_object_set_new(out, "shm", json_integer(bytes));
        f->at.len = mark;
        text_puts(&f->at, "/network");
        const char *network = json_get_string(container, "network", NULL);
        if (network && container_network_check(network, &err) != 0)
            front_problem(f, "%s", err.text);
        f->at.len = mark;
        json_object_set_new(s->out, "container", out);
    }
    if (!may_be_container(s))
        return;
    check_literal(f, step, "image", image_check);
    check_literal(f, step, "workdir", workdir_check);
    const int64_t memory = json_get_int(json_object_get(s->out, "resources"), "memory", 0);
    front_field(f, s, "resources");
    if (memory > 0 && memory < CONTAINER_MEMORY_MIN)
        front_problem(f, "memory: a container has at least %lld bytes",
                      (long long)CONTAINER_MEMORY_MIN);
}

static void read_secrets(struct front *f, size_t step)
{
    const json_t *secrets = front_field(f, &f->step[step], "secrets");
    const size_t mark = f->at.len;
    json_t *out = json_array(), *name;
    size_t i, k;
    json_array_foreach (secrets, i, name) {
        f->at.len = mark;
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
        const json_t *value = front_field(f, &f->step[step], DURATIONS[i].key);
        json_object_set_new(
            out, DURATIONS[i].out,
            json_integer(front_duration(f, value, DURATIONS[i].least, DURATIONS[i].most, 0)));
    }
    const json_t *limit = front_field(f, &f->step[step], "log_limit");
    json_object_set_new(out, "log_limit", json_integer(front_size(f, limit, LOG_LIMIT_USUAL)));
    const json_t *executor = front_field(f, &f->step[step], "executor");
    if (executor)
        json_object_set(out, "executor", (json_t *)executor);
    const json_t *pool = front_field(f, &f->step[step], "pool");
    if (pool && strcmp(json_string_value(pool), "default") != 0)
        json_object_set(out, "pool", (json_t *)pool);
    const json_t *description = json_object_get(f->step[step].source, "description");
    if (description)
        json_object_set(out, "description", (json_t *)description);
}

static void read_step(struct front *f, size_t step)
{
    json_t *out = f->step[step].out;
    json_object_set_new(out, "name", json_string(f->step[step].name));
    json_object_set_new(out, "kind", json_string("run"));
    json_object_set_new(out, "rule", json_string("all_succeeded"));
    read_plain(f, step);
    read_retry(f, step);
    read_resources(f, step);
    read_secrets(f, step);
    read_when(f, step);
    read_template(f, step, "image", SCOPE_OF_STEP);
    read_template(f, step, "workdir", SCOPE_OF_ARGV);
    read_argv(f, step, "command");
    read_argv(f, step, "args");
    check_program(f, step);
    read_container(f, step);
    read_env(f, step);
    read_outputs(f, step);
    read_needs(f, step);
    front_inputs(f, step);
}

void front_steps(struct front *f)
{
    const json_t *steps = json_object_get(f->root, "steps");
    const char *name;
    json_t *step;
    front_at(f, "steps", NULL);
    if (json_object_size(steps) == 0)
        front_problem(f, "steps: there is none; write at least one");
    if (!front_few(f, "steps", steps, IR_STEPS_MAX))
        return;
    json_object_foreach ((json_t *)steps, name, step) {
        front_at(f, "steps", name, NULL);
        front_plain_name(f, "step", name);
        names_add(f->steps, name, (int32_t)front_add_step(f, name, step));
    }
    const size_t own = f->step_count; /* front_inputs adds some */
    for (size_t i = 0; i < own && f->cost <= FRONT_COST_MAX; i++)
        read_step(f, i);
    front_at(f, "steps", NULL);
    if (f->step_count > IR_STEPS_MAX)
        front_problem(f, "steps: %zu with those that pin objects: at most %d", f->step_count,
                      IR_STEPS_MAX);
}
