/* Made by schema/gen.py from schema/queries; do not edit. */

#pragma once

enum query_id {
    QUERY_COUNT
};

struct query {
    const char *name;
    const char *text;
    int nparams;
};

extern const struct query QUERIES[];
