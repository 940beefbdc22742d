/* cli/output.h: the one way that lists and objects are shown: table, wide, json, yaml, name. */
#pragma once
#include <jansson.h>
#include "cli/verb.h"

#define OUTPUT_TOOK NULL

struct column {
    const char *title;
    const char *pointer; /* JSON Pointer in the item; OUTPUT_TOOK = how long that took */
    enum {
        ALWAYS,
        WIDE, /* with -o wide */
        RARE  /* where a row has one */
    } shown;
};
#define COLUMN_END                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

/* Checks --output before anything is called. LEAT_EUSAGE. */
int output_check(const struct given *given, struct err *err);
/* An array; the first column is what -o name prints. */
void output_list(const struct given *given, const json_t *items, const struct column *columns);
/* One object: json and yaml as it is, otherwise one "title: value" line a column. */
void output_object(const struct given *given, const json_t *object, const struct column *columns);
/* Each of the answer's `warnings`, if it has any, to standard error. */
void output_warnings(const json_t *answer);
bool output_is(const struct given *given, const char *format);
/* The sequence that begins the colour of a state's or a verdict's name; NULL = none, and always
 * where standard output is no terminal, NO_COLOR is set or TERM is dumb. OUTPUT_PLAIN ends it. */
#define OUTPUT_PLAIN "\033[0m"
const char *output_colour(const char *word);
/* A value as a person reads it: times local on a terminal, strings bare, the rest compact JSON. */
char *output_text(const json_t *value);
