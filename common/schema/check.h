/* common/schema/check.h: a JSON value held against a JSON Schema.
 * The schemas are tables that schema/gen.py makes from the files in schema/files: the part of
 * draft 2020-12 that schema/README.md names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

enum { /* bits of schema_node.types */
       SCHEMA_OBJECT = 1,
       SCHEMA_ARRAY = 2,
       SCHEMA_STRING = 4,
       SCHEMA_INTEGER = 8,
       SCHEMA_NUMBER = 16, /* integers too */
       SCHEMA_BOOLEAN = 32,
       SCHEMA_NULL = 64
};

struct schema_node;
struct schema_property {
    const char *name;
    const struct schema_node *node;
    bool required;
};

struct schema_node {
    unsigned types; /* 0 = any */
    const struct schema_property *properties;
    size_t property_count;
    bool closed;                          /* other properties are refused */
    const struct schema_node *additional; /* what other properties must be; NULL = anything */
    const char *names;                    /* POSIX ERE for the names of other properties */
    const char *names_hint;               /* "be …": said when names or pattern does not match */
    const struct schema_node *items;
    size_t min_items, max_items; /* max 0 = no limit, as below */
    size_t min_length, max_length;
    bool has_least, has_most, least_excluded;
    double least, most;
    const char *const *words;                      /* enum, ends with NULL */
    const char *pattern;                           /* POSIX ERE */
    const struct schema_node *const *alternatives; /* oneOf, told apart by type; ends with NULL */
};

typedef void schema_problem(void *arg, const char *pointer, const char *text);

/* Calls `problem` (may be NULL) for each one found, the first 100; returns their number. `pointer`
 * is a JSON Pointer to the offending value, or to the object that lacks a member. */
int schema_check(const struct schema_node *schema, const json_t *value, schema_problem *problem,
                 void *arg);
