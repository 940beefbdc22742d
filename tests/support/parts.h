/* tests/support/parts.h: files and pipelines that tests compile against, out of memory. */
#pragma once
#include <stddef.h>
#include "common/ir/ir.h"

struct part {
    enum ir_reference kind;
    const char *name; /* of a file its path; of a pipeline NAME or NAME@VERSION */
    const char *text; /* YAML; of a pipeline too, which is compiled when it is asked for */
};

struct parts {
    const struct part *items;
    size_t count;
    struct ir_resolver resolver; /* set by parts_resolver */
};

/* A resolver over the parts; a START is looked for as a PIPELINE, and every LIMIT is there but
 * "nosuch". Borrowed from `parts`. */
const struct ir_resolver *parts_resolver(struct parts *parts);
/* One document, the first, compiled; NULL with err and `all` (may be NULL). */
json_t *parts_compile(struct parts *parts, const char *name, const char *yaml, struct text *all,
                      struct err *err);
