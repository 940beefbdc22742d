/* scheduler/shell/idset.h: a set of ids that lives for one batch. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/base/uuid.h"

struct idset {
    struct uuid *slots; /* nil = free; the nil id is never a member */
    size_t cap, count;  /* cap: power of two */
};

bool idset_has(const struct idset *set, const struct uuid *id);
bool idset_add(struct idset *set, const struct uuid *id); /* false: it was there */
void idset_clear(struct idset *set);                      /* memory is kept */
void idset_free(struct idset *set);
