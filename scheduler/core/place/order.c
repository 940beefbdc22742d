#include "scheduler/core/place/order.h"

#include <assert.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/listing.h"
#include "scheduler/core/dag/lists.h"
#include "scheduler/core/place/pools.h"
#include "scheduler/core/run/rerun.h"
#include "scheduler/core/dag/view.h"

/* ---- what a step's templates look at ------------------------------------------------------- */

static void note_reference(void *user, const struct cel_reference *ref)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } ROOTS[] = {{"steps", SEES_STEPS},
                 {"inputs", SEES_INPUTS},
                 {"outputs", SEES_OUTPUTS},
                 {"run", SEES_RUN}};
    uint8_t *sees = user;
    for (size_t i = 0; i < ARRAY_LEN(ROOTS); i++)
        if (strcmp(ref->names[0], ROOTS[i].name) == 0)
            *sees |= ROOTS[i].bit;
}

static void note_template(const struct template *t, uint8_t *sees)
{
    if (t)
        template_references(t, note_reference, sees);
}

uint8_t order_sees(const struct ir_step *def)
{
    uint8_t sees = 0;
    const struct template *single[] = {def->image,  def->workdir, def->bucket,        def->prefix,
                                       def->suffix, def->key,     def->object_version};
    for (size_t i = 0; i < ARRAY_LEN(single); i++)
        note_template(single[i], &sees);
    for (size_t i = 0; i < def->argv_count; i++)
        note_template(def->argv[i], &sees);
    for (size_t i = 0; i < def->env_count; i++)
        note_template(def->env[i].value, &sees);
    for (size_t i = 0; i < def->input_count; i++)
        note_template(def->inputs[i].value, &sees);
    return sees;
}

int order_executor_parse(const char *name)
{
    for (int e = ORDER_START_EXECUTOR_PROCESS; e <= ORDER_START_EXECUTOR_DOCKER; e++)
        if (strcmp(order_start_executor_name(e), name) == 0)
            return e;
    return ORDER_START_EXECUTOR_NONE;
}

uint8_t order_sees_template(const struct template *t)
{
    uint8_t sees = 0;
    note_template(t, &sees);
    return sees;
}

uint8_t order_sees_cel(const struct cel *cel)
{
    uint8_t sees = 0;
    cel_references(cel, note_reference, &sees);
    return sees;
}

int order_when(struct step_ref at, const struct cel *when, bool *holds, struct err *err)
{
    struct view view;
    view_open(&view, at, order_sees_cel(when), NULL);
    int rc = cel_eval_bool(when, &view.vars, holds, err);
    view_close(&view);
    return rc;
}

/* ---- sending ------------------------------------------------------------------------------- */

static int send(struct core *core, const struct worker *w, struct order *order, struct batch *out,
                struct err *err)
{
    order->v = 1;
    order->epoch = core->config.epoch;
    size_t len;
    cleanup_free char *text = order_encode(order, &len);
    if (len > ORDER_MAX)
        return err_set(err, LEAT_ELIMIT,
                       "its order would be %zu bytes and the limit is %d; pass large values as "
                       "artifacts",
                       len, ORDER_MAX);
    struct batch_message *m = batch_add_messages(out);
    m->topic = batch_text(out, w->topic);
    m->value = batch_bytes(out, text, len);
    m->len = len;
    core->batch_bytes += len;
    return 0;
}

void order_cancel(struct core *core, const struct worker *w, const struct uuid *attempt,
                  int64_t nonce, int64_t grace_us, const char *reason, struct batch *out)
{
    struct order order = {.kind = ORDER_KIND_CANCEL,
                          .attempt = *attempt,
                          .nonce = nonce,
                          .grace_us = grace_us,
                          .reason = reason};
    send(core, w, &order, out, NULL);
}

void order_grant(struct core *core, const struct worker *w, int64_t heartbeat, struct batch *out)
{
    struct order order = {
        .kind = ORDER_KIND_GRANT, .heartbeat = heartbeat, .committed = w->report_n};
    send(core, w, &order, out, NULL);
}

void order_leave(struct core *core, const struct attempt *a, struct batch *out)
{
    struct order order = {.kind = ORDER_KIND_GRANT,
                          .attempt = a->id,
                          .nonce = a->nonce,
                          .committed = a->worker->report_n};
    send(core, a->worker, &order, out, NULL);
}

/* ---- a start order ------------------------------------------------------------------------- */

struct build {
    struct step_ref at;
    const struct ir_step *def;
    const struct cel_vars *vars;
    struct arena *arena;
    struct order_start *start;
};

static int put_text(const struct build *b, const struct template *t, const char *what,
                    const char **to, struct err *err)
{
    if (!t)
        return 0;
    cleanup_free char *text = template_eval(t, b->vars, err);
    if (!text)
        return err_wrap(err, "%s", what);
    *to = arena_text(b->arena, text);
    return 0;
}

static int put_argv(const struct build *b, struct err *err)
{
    const struct ir_step *def = b->def;
    b->start->argv = arena_alloc(b->arena, (def->argv_count + 1) * sizeof(char *));
    b->start->argv_count = def->argv_count;
    for (size_t i = 0; i < def->argv_count; i++)
        if (put_text(b, def->argv[i], "command or args", &b->start->argv[i], err) < 0)
            return err->code;
    return 0;
}

static int put_env(const struct build *b, struct err *err)
{
    const struct ir_step *def = b->def;
    b->start->env = arena_alloc(b->arena, (def->env_count + 1) * sizeof *b->start->env);
    b->start->env_count = def->env_count;
    for (size_t i = 0; i < def->env_count; i++) {
        b->start->env[i].name = def->env[i].name;
        if (put_text(b, def->env[i].value, def->env[i].name, &b->start->env[i].value, err) < 0)
            return err_wrap(err, "env");
    }
    return 0;
}

/* 1 = filled in, 0 = an optional output that is not there. */
static int put_upstream(const struct build *b, const struct ir_input *in, struct order_input *to,
                        struct err *err)
{
    const struct ir_step *from = step_ir(ref_run(b->at), in->step);
    const struct ir_output *declared = ir_output_find(from, in->output);
    const struct frame *f = frame_of_step(b->at.frame, in->step);
    json_t *value = json_object_get(f->steps[from->place].outputs, in->output);
    if (json_is_null(value))
        value = NULL;
    if (!value && declared->optional && !plant_on(PLANT_OPTIONAL_INPUT_FAILS))
        return 0;
    if (!value)
        return err_set(err, LEAT_EINPUT, "input %s: step %s has no output %s", in->name, from->name,
                       in->output);
    if (declared->type == IR_ARTIFACT && declared->list) {
        lists_put(f, from, in->output, value, b->arena, to);
        return 1;
    }
    const char *artifact = json_string_value(json_object_get(value, "artifact"));
    if (declared->type != IR_ARTIFACT) {
        to->value = value;
        return 1;
    }
    if (!artifact)
        return err_set(err, LEAT_EINPUT, "input %s: output %s of step %s is no artifact", in->name,
                       in->output, from->name);
    to->artifact = artifact;
    to->folder = json_is_true(json_object_get(value, "folder"));
    to->objects = from->kind == IR_STEP_OBJECTS;
    return 1;
}

static int put_value(const struct build *b, const struct ir_input *in, struct order_input *to,
                     struct err *err, json_t **made)
{
    const char *text = NULL;
    if (put_text(b, in->value, in->name, &text, err) < 0)
        return err_wrap(err, "input");
    to->value = *made = json_string(text);
    return 1;
}

/* `made`: one slot an input, for values that this makes. */
static int put_inputs(const struct build *b, json_t **made, struct err *err)
{
    const struct ir_step *def = b->def;
    struct order_start *start = b->start;
    start->inputs = arena_alloc(b->arena, (def->input_count + 1) * sizeof *start->inputs);
    for (size_t i = 0; i < def->input_count; i++) {
        const struct ir_input *in = &def->inputs[i];
        struct order_input *to = &start->inputs[start->inputs_count];
        to->name = in->name;
        int rc = in->kind == IR_INPUT_OUTPUT ? put_upstream(b, in, to, err)
                                             : put_value(b, in, to, err, &made[i]);
        if (rc < 0)
            return rc;
        start->inputs_count += (size_t)rc;
    }
    return 0;
}

static void put_outputs(const struct build *b)
{
    static const int TYPE[] = {
        [IR_STRING] = ORDER_OUTPUT_TYPE_STRING, [IR_INTEGER] = ORDER_OUTPUT_TYPE_INTEGER,
        [IR_NUMBER] = ORDER_OUTPUT_TYPE_NUMBER, [IR_BOOLEAN] = ORDER_OUTPUT_TYPE_BOOLEAN,
        [IR_JSON] = ORDER_OUTPUT_TYPE_JSON,     [IR_ARTIFACT] = ORDER_OUTPUT_TYPE_ARTIFACT,
    };
    const struct ir_step *def = b->def;
    b->start->outputs = arena_alloc(b->arena, (def->output_count + 1) * sizeof *b->start->outputs);
    b->start->outputs_count = def->output_count;
    for (size_t i = 0; i < def->output_count; i++)
        b->start->outputs[i] =
            (struct order_output){def->outputs[i].name, TYPE[def->outputs[i].type],
                                  def->outputs[i].optional && !plant_on(PLANT_OPTIONAL_NOT_ORDERED),
                                  def->outputs[i].path};
}

static void put_listed(const struct build *b)
{
    struct order_start *start = b->start;
    const struct listed *listed =
        listing_of(ref_run(b->at)->version, ref_index(b->at), &start->listed_count);
    start->listed = arena_alloc(b->arena, (start->listed_count + 1) * sizeof(char *));
    for (size_t i = 0; i < start->listed_count; i++)
        start->listed[i] = listed[i].output;
}

static int put_objects(const struct build *b, struct err *err)
{
    const struct ir_step *def = b->def;
    const struct {
        const struct template *t;
        const char *what;
        const char **to;
    } parts[] = {{def->bucket, "bucket", &b->start->bucket},
                 {def->prefix, "prefix", &b->start->prefix},
                 {def->suffix, "suffix", &b->start->suffix},
                 {def->key, "key", &b->start->key},
                 {def->object_version, "version", &b->start->version}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (put_text(b, parts[i].t, parts[i].what, parts[i].to, err) < 0)
            return err->code;
    return 0;
}

/* A worker that prefers containers runs as a process what has no image. */
int order_executor_for(const struct ir_step *def, const struct worker *w)
{
    if (def->kind == IR_STEP_OBJECTS)
        return ORDER_START_EXECUTOR_OBJECTS;
    if (def->executor)
        return order_executor_parse(def->executor);
    const bool process = w->executors & 1u << ORDER_START_EXECUTOR_PROCESS;
    if (w->default_executor == ORDER_START_EXECUTOR_DOCKER && !def->image && process)
        return ORDER_START_EXECUTOR_PROCESS;
    return w->default_executor;
}

static void put_container(const struct build *b)
{
    const struct ir_step *def = b->def;
    const json_t *from = def->container;
    if (b->start->executor != ORDER_START_EXECUTOR_DOCKER)
        return;
    struct order_container *to = arena_alloc(b->arena, sizeof *to);
    const char *pull = json_get_string(from, "pull", "if-missing");
    *to = (struct order_container){
        .network = json_get_string(from, "network", NULL),
        .cpu = def->cpu,
        .memory = def->memory,
        .gpu = def->gpu,
        .shm = json_get_int(from, "shm", 0),
        .pids = json_get_int(from, "pids", 0),
        .read_only = json_get_bool(from, "read_only", false),
        .registry_secret = json_get_string(from, "registry_secret", NULL),
    };
    for (int p = ORDER_CONTAINER_PULL_IF_MISSING; p <= ORDER_CONTAINER_PULL_NEVER; p++)
        if (strcmp(pull, order_container_pull_name(p)) == 0)
            to->pull = p;
    if (to->pull == ORDER_CONTAINER_PULL_ALWAYS && rerun_image(b->at))
        to->pull = ORDER_CONTAINER_PULL_IF_MISSING; /* a digest is no other image tomorrow */
    b->start->container = to;
    b->start->command = (int64_t)def->command_count;
}

static int fill_start(const struct build *b, json_t **made, struct err *err)
{
    const struct ir_step *def = b->def;
    if (put_argv(b, err) < 0 || put_env(b, err) < 0 || put_inputs(b, made, err) < 0 ||
        put_text(b, def->image, "image", &b->start->image, err) < 0 ||
        put_text(b, def->workdir, "workdir", &b->start->workdir, err) < 0 ||
        put_objects(b, err) < 0)
        return err->code;
    put_outputs(b);
    put_listed(b);
    if (rerun_image(b->at))
        b->start->image = rerun_image(b->at);
    put_container(b);
    b->start->secrets = def->secrets;
    b->start->secrets_count = def->secret_count;
    return 0;
}

static struct order_start start_of(const struct core *core, const struct attempt *a)
{
    const struct run *run = ref_run(a->at);
    const struct ir_step *def = ref_ir(a->at);
    return (struct order_start){
        .run = run->id,
        .run_name = run->name,
        .pipeline = run->pipeline->name,
        .experiment = run->experiment,
        .step = def->name,
        .number = a->number,
        .executor = order_executor_for(def, a->worker),
        .event = run->event,
        .at_most_once = def->at_most_once,
        .timeout_us = def->timeout_us,
        .lost_after_us = step_lost_after(core, def),
        .heartbeat_us = plant_on(PLANT_HEARTBEAT_NOT_ORDERED) ? 0 : def->heartbeat_us,
        .log_limit = def->log_limit,
    };
}

/* A large event does not ride in every order: the worker gets all but its data, with the id by
 * which the API gives the whole. */
static json_t *event_without_data(json_t *event)
{
    json_t *small = json_copy(event);
    json_object_del(small, "data");
    return small;
}

static int send_start(struct core *core, const struct attempt *a, struct order_start *start,
                      struct batch *out, struct err *err)
{
    struct order order = {.kind = ORDER_KIND_START,
                          .attempt = a->id,
                          .nonce = a->nonce,
                          .incarnation = a->worker->incarnation,
                          .grace_us = step_grace(core, ref_ir(a->at)),
                          .start = start};
    int rc = send(core, a->worker, &order, out, err);
    if (rc == LEAT_ELIMIT && lists_only_say_where(start))
        rc = send(core, a->worker, &order, out, err);
    if (rc != LEAT_ELIMIT || !json_object_get(start->event, "data"))
        return rc;
    json_t *small = event_without_data(start->event);
    start->event = small;
    rc = send(core, a->worker, &order, out, err);
    json_decref(small);
    return rc;
}

int order_fill(struct core *core, struct step_ref at, const struct cel_vars *vars,
               struct order_start *start, struct order_made *made, struct err *err)
{
    const struct ir_step *def = ref_ir(at);
    struct build b = {at, def, vars, core->scratch, start};
    made->count = def->input_count;
    made->values = arena_alloc(core->scratch, (def->input_count + 1) * sizeof(json_t *));
    return fill_start(&b, made->values, err);
}

void order_made_free(struct core *core, struct order_made *made)
{
    for (size_t i = 0; i < made->count; i++)
        json_decref(made->values[i]);
    arena_reset(core->scratch);
}

/* PATH of a process, where its pool says one. No part of a cached result's key, as little as the
 * programs that are found by it. */
static void put_path(struct core *core, const struct attempt *a, struct order_start *start)
{
    const char *path = pool_path(core, ref_ir(a->at));
    if (!path || start->executor != ORDER_START_EXECUTOR_PROCESS)
        return;
    struct order_env *env = arena_alloc(core->scratch, (start->env_count + 1) * sizeof *env);
    memcpy(env + 1, start->env, start->env_count * sizeof *env);
    env[0] = (struct order_env){"PATH", path};
    start->env = env;
    start->env_count++;
}

int order_start(struct core *core, const struct attempt *a, struct batch *out, struct err *err)
{
    struct order_start start = start_of(core, a);
    struct order_made made = {0};
    struct view view;
    view_open(&view, a->at, ref_run(a->at)->version->sees[ref_index(a->at)], a);
    int rc = order_fill(core, a->at, &view.vars, &start, &made, err);
    if (rc == 0) {
        put_path(core, a, &start);
        rc = send_start(core, a, &start, out, err);
    }
    view_close(&view);
    order_made_free(core, &made);
    return rc;
}
