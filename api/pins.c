#include "api/pins.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define PINS_AT_ONCE 16
#define PINS_NAMED   3

struct pin {
    char *name; /* the step, or KEY of it */
    char hash[SHA256_HEX];
    bool set; /* a manifest, which names the others */
};

struct pins {
    struct api *api;
    pins_done *done;
    void *arg;
    struct pin *all;
    size_t count, cap;
    size_t next, flying, missing;
    size_t beyond; /* pins that came after PINS_LOOKS_MAX of them */
    size_t unread; /* manifests over PINS_TEXT */
    struct text gone, unlooked;
    struct err err;
};

struct pin_look {
    struct pins *pins;
    size_t pin;
};

static void pin_add(struct pins *p, char *name, const char *hash, bool set)
{
    if (p->count == PINS_LOOKS_MAX || !store_hash_ok(hash)) {
        p->beyond += p->count == PINS_LOOKS_MAX;
        free(name);
        return;
    }
    MEM_ROOM(p->all, p->count, p->cap);
    struct pin *pin = &p->all[p->count++];
    *pin = (struct pin){.name = name, .set = set};
    memcpy(pin->hash, hash, SHA256_HEX);
}

static void say_unlooked(struct pins *p)
{
    if (p->beyond)
        text_printf(&p->unlooked,
                    "of what that run pinned only the first %d objects were looked for, and not "
                    "%zu more",
                    PINS_LOOKS_MAX, p->beyond);
    if (p->unread)
        text_printf(&p->unlooked,
                    "%sthe objects of %zu of its sets were not looked for: a list of them has over "
                    "%d MiB",
                    p->beyond ? "; " : "", p->unread, PINS_TEXT >> 20);
}

static void pins_over(struct pins *p)
{
    say_unlooked(p);
    if (p->missing > PINS_NAMED)
        text_printf(&p->gone, " and %zu more", p->missing - PINS_NAMED);
    p->done(p->arg, p->gone.data, p->unlooked.data, p->err.code ? &p->err : NULL);
    for (size_t i = 0; i < p->count; i++)
        free(p->all[i].name);
    free(p->all);
    text_free(&p->gone);
    text_free(&p->unlooked);
    free(p);
}

static void note_missing(struct pins *p, const struct pin *pin)
{
    if (p->missing++ < PINS_NAMED)
        text_printf(&p->gone, "%s%s (%.12s…)", p->missing > 1 ? ", " : "", pin->name, pin->hash);
}

static void add_objects(struct pins *p, size_t set, const struct store_object *object)
{
    const struct json_limits limits = {.depth = 8, .bytes = PINS_TEXT};
    cleanup_json json_t *manifest = NULL;
    struct err err = {0};
    const json_t *one;
    size_t i;
    p->unread += object->size < object->total;
    if (object->size == object->total)
        manifest = json_read(object->data, (size_t)object->size, &limits, &err);
    json_array_foreach (json_get_array(manifest, "objects"), i, one)
        pin_add(p, mem_printf("%s of %s", json_get_string(one, "key", ""), p->all[set].name),
                json_get_string(one, "sha256", ""), false);
}

static void look_on(struct pins *p);

static void looked(void *arg, const struct store_object *object, const struct err *err)
{
    struct pin_look *l = arg;
    struct pins *p = l->pins;
    const struct pin *pin = &p->all[l->pin];
    p->flying--;
    if ((err && err->code == LEAT_ENOTFOUND) || (!err && !pin->set && !object->exists))
        note_missing(p, pin);
    else if (err)
        p->err = *err;
    else if (pin->set)
        add_objects(p, l->pin, object);
    free(l);
    look_on(p);
}

static void look_on(struct pins *p)
{
    while (!p->err.code && p->next < p->count && p->flying < PINS_AT_ONCE) {
        struct pin_look *l = mem_alloc(sizeof *l);
        *l = (struct pin_look){p, p->next++};
        p->flying++;
        if (p->all[l->pin].set)
            store_read(p->api->store, p->all[l->pin].hash, 0, PINS_TEXT, looked, l);
        else
            store_exists(p->api->store, p->all[l->pin].hash, looked, l);
    }
    if (p->flying == 0)
        pins_over(p);
}

static void pins_known(void *arg, const struct pg_answer *answer)
{
    struct pins *p = arg;
    if (answer->err)
        p->err = *answer->err;
    for (size_t i = 0; !answer->err && i < pg_row_count(answer->rows); i++)
        pin_add(p, mem_string(pg_text(answer->rows, i, 0)), pg_text(answer->rows, i, 1), true);
    look_on(p);
}

void pins_look(struct api *api, const struct uuid *run, pins_done *done, void *arg)
{
    struct pins *p = mem_alloc(sizeof *p);
    struct pg_params params = {0};
    *p = (struct pins){.api = api, .done = done, .arg = arg};
    pg_add_uuid(&params, run);
    pg_call(api->pg, QUERY_API_PINS, &params, pins_known, p);
    pg_params_free(&params);
}
