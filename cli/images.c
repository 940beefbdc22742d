#include "cli/images.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/registry.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ir/container.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

/* ---- which --------------------------------------------------------------------------------- */

static const char *image_of(const json_t *step)
{
    const char *image = json_get_string(step, "image", "");
    return strstr(image, "@sha256:") ? image : NULL;
}

static bool has_images(const json_t *run)
{
    const json_t *step;
    size_t i;
    json_array_foreach (json_object_get(run, "steps"), i, step)
        if (image_of(step))
            return true;
    return false;
}

/* Does a rerun with these parameters run this step by the digest of then, and fetch it? As the
 * scheduler decides (scheduler/core/run/rerun.c); which items stay the same it alone knows, so with
 * other parameters images of items are left out. */
static bool is_taken(const struct ir *ir, const json_t *step, const json_t *now, const json_t *then)
{
    const int64_t index = json_get_int(step, "index", -1);
    if (index < 0 || index >= (int64_t)ir->step_count)
        return false;
    const struct ir_step *def = &ir->steps[index];
    const unsigned sees = def->image ? ir_sees_again(ir, (int32_t)index, def->image, now, then) : 0;
    return !(sees & IR_SEES_OTHER) && !(sees && !json_equal(now, then)) &&
           strcmp(json_get_string(def->container, "pull", ""), "never") != 0;
}

/* {STEP: IMAGE}; of the instances of a step the newest counts, but for those of items. */
static json_t *images_by_step(const json_t *run, const struct ir *ir, const json_t *now)
{
    const json_t *then = json_object_get(run, "params"), *step;
    json_t *out = json_object();
    size_t i;
    json_array_foreach (json_object_get(run, "steps"), i, step) {
        if (!image_of(step) || !is_taken(ir, step, now, then))
            continue;
        const struct ir_step *def = &ir->steps[json_get_int(step, "index", 0)];
        const bool item = def->image && !template_is_literal(def->image);
        json_object_set_new(out, json_get_string(step, item ? "name" : "step", "?"),
                            json_string(image_of(step)));
    }
    return out;
}

/* The version that it ran, and the parameters that it would have; NULL = the command says why. */
static struct ir *version_of(const json_t *run, json_t *params, json_t **now)
{
    struct err err = {0};
    cleanup_json json_t *shown = NULL, *given = json_object();
    cleanup_free char *path =
        client_path("/api/v1/pipelines/%s?version=%s", json_get_string(run, "pipeline", ""),
                    json_get_string(run, "version", ""));
    if (client_call("GET", path, NULL, &shown, &err) < 0)
        return NULL;
    struct ir *ir = ir_load(json_object_get(shown, "ir"), &err);
    if (!ir) {
        fprintf(stderr, "warning: its images were not looked for: %s\n", err.text);
        return NULL;
    }
    json_object_update(given, json_object_get(run, "params"));
    json_object_update(given, params);
    *now = ir_params(ir, given, true, &err);
    if (*now)
        return ir;
    ir_free(ir);
    return NULL;
}

/* {STEP: IMAGE} */
static json_t *images_of(const json_t *run, json_t *params)
{
    cleanup_json json_t *now = NULL;
    struct ir *ir = has_images(run) ? version_of(run, params, &now) : NULL;
    json_t *out = ir ? images_by_step(run, ir, now) : json_object();
    ir_free(ir);
    return out;
}

/* ---- are they there ------------------------------------------------------------------------- */

struct looking {
    int64_t until_us;
    json_t *gone;   /* {IMAGE: its steps, for people} */
    json_t *deaf;   /* {REGISTRY: why it could not be asked} */
    size_t unasked; /* when the time was up */
};

static bool is_silent(const struct looking *l, const char *host)
{
    return json_object_get(l->deaf, host) != NULL;
}

static void look_for(struct looking *l, const char *image, const char *steps)
{
    struct registry_place place;
    struct err err = {0};
    const int64_t left_us = l->until_us - clock_monotonic_us();
    if (registry_place(image, &place, &err) < 0 || is_silent(l, place.host))
        return;
    if (left_us < US_PER_MS) {
        l->unasked++;
        return;
    }
    const int rc = registry_has(image, left_us < IMAGES_ONE_US ? left_us : IMAGES_ONE_US, &err);
    if (rc == LEAT_ENOTFOUND)
        json_object_set_new(l->gone, image, json_string(steps));
    else if (rc < 0)
        json_object_set_new(l->deaf, place.host, json_string(err.text));
}

/* {IMAGE: "a" or "a and 3 more"} */
static json_t *steps_by_image(json_t *by_step)
{
    const char *step;
    json_t *image, *out = json_object();
    cleanup_json json_t *counts = json_object();
    json_object_foreach (by_step, step, image) {
        const char *name = json_string_value(image);
        const int64_t more = json_get_int(counts, name, -1) + 1;
        json_object_set_new(counts, name, json_integer(more));
        if (more == 0)
            json_object_set_new(out, name, json_string(step));
    }
    json_object_foreach (counts, step, image)
        if (json_integer_value(image) > 0)
            json_object_set_new(out, step,
                                json_sprintf("%s and %d more", json_get_string(out, step, ""),
                                             (int)json_integer_value(image)));
    return out;
}

static void tell(const struct looking *l)
{
    const char *name;
    json_t *text;
    size_t told = 0;
    json_object_foreach (l->gone, name, text)
        if (told++ < IMAGES_TOLD_MAX)
            fprintf(stderr,
                    "warning: step %s: image %s is no longer in its registry: it fails on a worker "
                    "that has it not\n",
                    json_string_value(text), name);
    if (told > IMAGES_TOLD_MAX)
        fprintf(stderr, "warning: and %zu more images\n", told - IMAGES_TOLD_MAX);
    json_object_foreach (l->deaf, name, text)
        fprintf(stderr, "warning: whether its images are still there is not known: %s\n",
                json_string_value(text));
    if (l->unasked)
        fprintf(stderr, "warning: %zu of its images were not asked for within %d s\n", l->unasked,
                (int)(IMAGES_LOOK_US / US_PER_S));
}

void images_look(const json_t *run, json_t *params)
{
    cleanup_json json_t *by_step = images_of(run, params), *images = steps_by_image(by_step);
    cleanup_json json_t *gone = json_object(), *deaf = json_object();
    struct looking l = {clock_monotonic_us() + IMAGES_LOOK_US, gone, deaf, 0};
    const char *image;
    json_t *steps;
    json_object_foreach (images, image, steps)
        look_for(&l, image, json_string_value(steps));
    tell(&l);
}
