#include "scheduler/shell/idset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"

static size_t home(const struct uuid *id, size_t cap)
{
    uint64_t high, low;
    memcpy(&high, id->b, sizeof high);
    memcpy(&low, id->b + 8, sizeof low);
    return (size_t)((high ^ low) * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);
}

/* Where the id is, or where it would go. */
static struct uuid *slot(const struct idset *set, const struct uuid *id)
{
    size_t at = home(id, set->cap);
    while (!uuid_is_nil(&set->slots[at]) && uuid_compare(&set->slots[at], id) != 0)
        at = (at + 1) & (set->cap - 1);
    return &set->slots[at];
}

static void grow(struct idset *set)
{
    struct idset bigger = {.cap = set->cap ? set->cap * 2 : 64, .count = set->count};
    bigger.slots = mem_array(bigger.cap, sizeof *bigger.slots);
    for (size_t i = 0; i < set->cap; i++)
        if (!uuid_is_nil(&set->slots[i]))
            *slot(&bigger, &set->slots[i]) = set->slots[i];
    free(set->slots);
    *set = bigger;
}

bool idset_has(const struct idset *set, const struct uuid *id)
{
    return set->count > 0 && !uuid_is_nil(slot(set, id));
}

bool idset_add(struct idset *set, const struct uuid *id)
{
    if (set->count * 2 >= set->cap)
        grow(set);
    struct uuid *at = slot(set, id);
    if (!uuid_is_nil(at))
        return false;
    *at = *id;
    set->count++;
    return true;
}

void idset_clear(struct idset *set)
{
    if (set->count)
        memset(set->slots, 0, set->cap * sizeof *set->slots);
    set->count = 0;
}

void idset_free(struct idset *set)
{
    free(set->slots);
    *set = (struct idset){0};
}
