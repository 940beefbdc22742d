#include "scheduler/core/place/cache.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/dag/steps.h"
#include "scheduler/core/dag/view.h"

/* A step that waits for an answer, or has one. */
struct lookup {
    struct step_ref at; /* pinned */
    char key[SHA256_HEX];
    int64_t since_us; /* older results do not count */
    bool found;
    struct uuid run; /* whose result it is */
    json_t *outputs, *metrics;
    char *image;
    struct lookup *prev, *next;
};

/* ---- the key ------------------------------------------------------------------------------- */

/* Where its files lie is another place each time. */
static json_t *places(const struct ir_step *def, bool inputs)
{
    json_t *all = json_object();
    const size_t count = inputs ? def->input_count : def->output_count;
    for (size_t i = 0; i < count; i++) {
        const char *name = inputs ? def->inputs[i].name : def->outputs[i].name;
        cleanup_free char *path = mem_printf("/leat/%s/%s", inputs ? "in" : "out", name);
        json_object_set_new(all, name, json_pack("{s:s}", "path", path));
    }
    return all;
}

/* A tag may be another image tomorrow. docs/decisions/011 */
static bool image_is_pinned(const struct ir_step *def, const char *image)
{
    const bool ignored = def->executor && strcmp(def->executor, "docker") != 0;
    return ignored || !image || strstr(image, "@sha256:");
}

static void write_key(const struct ir_step *def, struct order_start *start, char key[SHA256_HEX])
{
    size_t len;
    struct order order = {.v = 1, .kind = ORDER_KIND_START, .start = start};
    if (plant_on(PLANT_CACHE_WITHOUT_ARGUMENTS))
        start->argv_count = 0;
    if (plant_on(PLANT_CACHE_WITHOUT_INPUTS))
        start->inputs_count = 0;
    cleanup_free char *text = order_encode(&order, &len);
    cleanup_free char *container = def->container ? json_write(def->container) : NULL;
    cleanup_free char *all = mem_printf("%s\n%s\n%s", text, def->pool ? def->pool : "default",
                                        container ? container : "");
    sha256_hex(all, strlen(all), key);
}

bool cache_key(struct core *core, struct step_ref at, char key[SHA256_HEX])
{
    const struct ir_step *def = ref_ir(at);
    const uint8_t sees = ref_run(at)->version->sees[ref_index(at)];
    json_t *in cleanup_json = places(def, true);
    json_t *out cleanup_json = places(def, false);
    struct order_start start = {.run_name = "",
                                .pipeline = "",
                                .experiment = "",
                                .step = "",
                                .executor = def->executor ? order_executor_parse(def->executor)
                                                          : ORDER_START_EXECUTOR_NONE,
                                .command = (int64_t)def->command_count};
    struct view view;
    view_open(&view, at, sees & (uint8_t) ~(SEES_INPUTS | SEES_OUTPUTS), NULL);
    view_add(&view, "inputs", in);
    view_add(&view, "outputs", out);
    struct order_made made = {0};
    const bool known = order_fill(core, at, &view.vars, &start, &made, &(struct err){0}) == 0 &&
                       image_is_pinned(def, start.image);
    if (known)
        write_key(def, &start, key);
    order_made_free(core, &made);
    view_close(&view);
    return known;
}

/* ---- looking it up ------------------------------------------------------------------------- */

static void lookup_free(struct lookup *l)
{
    json_decref(l->outputs);
    json_decref(l->metrics);
    free(l->image);
    free(l);
}

bool cache_look(struct core *core, struct step_ref at, const struct core_now *now)
{
    const struct ir_step *def = ref_ir(at);
    char key[SHA256_HEX];
    if (!def->cache || ref_run(at)->no_cache || !cache_key(core, at, key))
        return false;
    struct lookup *l = mem_alloc(sizeof *l);
    l->at = at;
    memcpy(l->key, key, sizeof l->key);
    const bool any = def->cache_us <= 0 || plant_on(PLANT_CACHE_OF_ANY_AGE);
    l->since_us = any ? 0 : now->wall_us - def->cache_us;
    at.frame->pins++;
    ref_step(at)->flags |= STEP_LOOKING;
    DL_APPEND(core->looking, l);
    return true;
}

size_t core_wants_cached(struct core *core, struct core_cached_wanted *wanted, size_t most)
{
    size_t n = 0;
    const struct lookup *l = core->looking;
    for (; l && n < most; l = l->next) {
        memcpy(wanted[n].key, l->key, sizeof l->key);
        wanted[n++].since_us = l->since_us;
    }
    core->cache_asked = n;
    return n;
}

void core_cached(struct core *core, const struct snapshot *delta)
{
    size_t row = 0, place = 0;
    for (; core->cache_asked > 0; core->cache_asked--, place++) {
        struct lookup *l = core->looking;
        assert(l); /* only an answer takes one off */
        DL_DELETE(core->looking, l);
        DL_APPEND(core->looked, l);
        const struct snapshot_cached *c =
            delta && row < delta->cached_count ? &delta->cached[row] : NULL;
        if (!c || c->place != place)
            continue;
        row++;
        l->found = true;
        l->run = c->run;
        l->outputs = json_incref(c->outputs);
        l->metrics = json_incref(c->metrics);
        l->image = mem_string(c->image);
    }
}

/* ---- the answer ---------------------------------------------------------------------------- */

/* All that it promises is there; else it is somebody else's idea of the key. */
static bool has_outputs(const struct ir_step *def, const json_t *outputs)
{
    for (size_t i = 0; i < def->output_count; i++)
        if (!def->outputs[i].optional && !json_object_get(outputs, def->outputs[i].name))
            return false;
    return true;
}

static void take(struct core *core, const struct lookup *l, const struct core_now *now,
                 struct batch *out)
{
    char id[UUID_TEXT];
    uuid_format(&l->run, id);
    cleanup_free char *reason = mem_printf("cached from %s", id);
    step_end(core, l->at,
             &(struct step_end){.state = STEP_SUCCEEDED,
                                .attempt = ref_step(l->at)->attempt,
                                .reason = reason,
                                .cached_from = l->run,
                                .outputs = l->outputs,
                                .metrics = l->metrics,
                                .image = l->image},
             now, out);
}

static void answer(struct core *core, const struct lookup *l, const struct core_now *now,
                   struct batch *out)
{
    assert(frame_lets_begin(l->at)); /* sweeps come first */
    if (l->found && has_outputs(ref_ir(l->at), l->outputs))
        take(core, l, now, out);
    else
        place_ready(core, l->at);
}

bool cache_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct lookup *l = core->looked;
    if (!l)
        return false;
    DL_DELETE(core->looked, l);
    const struct step_ref at = l->at;
    at.frame->pins--;
    if (!at.frame->over)
        ref_step(at)->flags &= (uint8_t)~STEP_LOOKING;
    if (!at.frame->over && ref_step(at)->state == STEP_PENDING) /* it was not stopped meanwhile */
        answer(core, l, now, out);
    lookup_free(l);
    return true;
}

/* ---- for others ---------------------------------------------------------------------------- */

/* Of these alone what they were told may be another when their success is heard: a cancel that came
 * meanwhile is part of the outcome. */
static bool sees_outcome(struct step_ref at)
{
    if (ref_ir(at)->finally)
        return true;
    for (const struct frame *f = at.frame; f->group; f = f->group->at.frame)
        if (f->group->def->finally)
            return true;
    return false;
}

void cache_note(struct core *core, struct attempt *a)
{
    char key[SHA256_HEX];
    if (ref_ir(a->at)->cache && sees_outcome(a->at) && cache_key(core, a->at, key))
        a->key = mem_string(key);
}

/* The key of what it was given. */
static bool key_given(struct core *core, const struct attempt *a, char key[SHA256_HEX])
{
    if (!sees_outcome(a->at) || plant_on(PLANT_KEPT_BY_LATER_OUTCOME))
        return cache_key(core, a->at, key);
    if (!a->key)
        return false; /* another leader placed it */
    memcpy(key, a->key, SHA256_HEX);
    return true;
}

void cache_keep(struct core *core, const struct attempt *a, const struct core_now *now,
                struct batch *out)
{
    const struct ir_step *def = ref_ir_known(a->at);
    char key[SHA256_HEX];
    if (!def || !def->cache || !key_given(core, a, key))
        return;
    if (plant_on(PLANT_NO_CACHE_KEEPS_NOTHING) && ref_run(a->at)->no_cache)
        return;
    struct batch_cached *row = batch_add_cached(out);
    row->key = batch_text(out, key);
    row->run = ref_run(a->at)->id;
    row->step = ref_index(a->at);
    row->iteration = ref_iteration(a->at);
    row->finished_us = now->wall_us;
}

void cache_free(struct core *core)
{
    struct lookup *l, *next;
    DL_FOREACH_SAFE(core->looking, l, next)
    lookup_free(l);
    DL_FOREACH_SAFE(core->looked, l, next)
    lookup_free(l);
}

size_t cache_open_looks(const struct core *core)
{
    const struct lookup *l;
    size_t n = 0;
    DL_FOREACH (core->looking, l)
        n += !l->at.frame->over;
    DL_FOREACH (core->looked, l)
        n += !l->at.frame->over;
    return n;
}
