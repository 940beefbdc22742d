/* Folders in a seed's pipelines: programs that write one, for_each over the names in it, lists of
 * them as inputs. */
#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

#define FOLDER_NAMES 4 /* a folder of a program that wrote n has n % FOLDER_NAMES */

int plan_names(int n)
{
    return n % FOLDER_NAMES;
}

json_t *plan_folder(const struct uuid *attempt, int n, bool listed)
{
    char id[UUID_TEXT], hash[SHA256_HEX] = "";
    uuid_format(attempt, id);
    size_t len = 0;
    for (int twice = 0; twice < 2; twice++)
        for (const char *p = id; *p; p++)
            if (*p != '-')
                hash[len++] = *p;
    hash[len] = '\0';
    json_t *folder = json_pack("{s:s, s:b, s:i}", "artifact", hash, "folder", 1, "size", n);
    json_t *names = json_array();
    for (int i = 0; i < plan_names(n); i++) {
        char name[16];
        snprintf(name, sizeof name, "f %d", i);
        json_array_append_new(names, json_string(name));
    }
    if (listed)
        json_object_set(folder, "names", names);
    json_decref(names);
    return folder;
}

bool plan_lists(const struct plan_version *v, int step)
{
    for (int i = 0; i < v->step_count; i++)
        if (v->steps[i].items_folder && v->steps[i].items_from == step)
            return true;
    return false;
}

/* ---- the generator --------------------------------------------------------------------------- */

static uint32_t where(const struct plan_version *v, uint32_t mask, bool lists)
{
    uint32_t found = 0;
    for (int i = 0; i < v->step_count; i++) {
        const struct plan_step *s = &v->steps[i];
        const bool is =
            lists ? s->kind == PLAN_EACH && s->gives_folder >= 0 : s->kind == PLAN_RUN && s->folder;
        if (mask >> i & 1u && is)
            found |= 1u << i;
    }
    return found;
}

uint32_t plan_folders(const struct plan_version *v, uint32_t mask)
{
    return where(v, mask, false) | where(v, mask, true);
}

void plan_items_of_folder(struct rng *rng, const struct plan_version *v, struct plan_step *each)
{
    const uint32_t folders = where(v, each->needs, false);
    if (!folders || !rng_chance(rng, 0.5))
        return;
    each->items_folder = true;
    each->items_from = plan_pick(rng, folders);
    each->item_count = 0;
}

void plan_give_folders(struct rng *rng, struct plan_version *v, int each, uint32_t here)
{
    uint32_t work = 0;
    for (int i = 0; i < v->step_count; i++)
        work |= v->steps[i].finally ? 0 : 1u << i;
    v->steps[each].gives_folder =
        plan_pick(rng, (where(v, here, false) | where(v, here, true)) & work);
}

void plan_take_list(struct rng *rng, const struct plan_version *v, const struct plan_step *head,
                    struct plan_step *s)
{
    const uint32_t near = where(v, head->needs, true);
    const bool inside = head->parent >= 0 && !v->steps[head->parent].part;
    const uint32_t outer = inside ? where(v, v->steps[head->parent].needs, true) : 0;
    if (near && rng_chance(rng, 0.9))
        s->takes = plan_pick(rng, near);
    else if (outer && rng_chance(rng, 0.8))
        s->takes = plan_pick(rng, outer);
    else if (rng_chance(rng, 0.5))
        s->takes = plan_pick(rng, where(v, head->needs, false)); /* one, and no list */
    if (s->takes >= 0 && rng_chance(rng, 0.7)) {
        s->cache = true; /* of that list and no other */
        s->cache_us = 0;
    }
}

/* ---- the text -------------------------------------------------------------------------------- */

void plan_write_folders(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    plan_write_outputs(out, s);
    plan_write_taken_input(out, v, (int)(s - v->steps));
}
