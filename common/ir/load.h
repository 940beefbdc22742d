/* common/ir/load.h: what the files that turn canonical JSON into structs share. The first thing
 * that is wrong is kept and everything after it is read as absent, so that only the end asks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/ir/ir.h"
#include "common/ir/names.h"

struct compiled; /* one text and what it compiled to */

struct ir_owned {
    struct names *steps;
    struct compiled *templates, *cels; /* heads of hashes by source */
    json_t *kept;                      /* values that structs point into */
};

struct loader {
    struct ir *ir;
    const char *where; /* "step sgd", for messages */
    bool failed;
    struct err *err;
};

void load_fail(struct loader *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Members by type; what is absent is `fallback`, 0 or NULL, and a failure when `required`.
 * Text is copied into the arena. */
const char *load_text(struct loader *l, const json_t *obj, const char *key, bool required);
int64_t load_int(struct loader *l, const json_t *obj, const char *key, int64_t least, int64_t most,
                 int64_t fallback);
double load_number(struct loader *l, const json_t *obj, const char *key, double least, double most,
                   double fallback);
/* Index in `words` (ends with NULL); absent: fallback, or a failure when that is -1. */
int load_word(struct loader *l, const json_t *obj, const char *key, const char *const *words,
              int fallback);
struct template *load_template(struct loader *l, const json_t *obj, const char *key);
struct template *load_template_text(struct loader *l, const char *source);
struct cel *load_cel(struct loader *l, const json_t *obj, const char *key);
json_t *load_kept(struct loader *l, json_t *value); /* the IR owns it from now on; NULL is NULL */
const json_t *load_list(struct loader *l, const json_t *obj, const char *key, size_t most);
const json_t *load_map(struct loader *l, const json_t *obj, const char *key, size_t most);
/* The keys of a mapping in order, in the arena; *count of them. */
const char **load_keys(struct loader *l, const json_t *map, size_t *count);
struct ir_binding *load_bindings(struct loader *l, const json_t *obj, const char *key,
                                 size_t *count);

bool load_flag(struct loader *l, const json_t *obj, const char *key, bool fallback);
/* A list of text, copied. */
const char **load_words(struct loader *l, const json_t *obj, const char *key, size_t most,
                        size_t *count);
/* `count` zeroed elements in the arena; NULL when there is none. */
void *load_array(struct loader *l, size_t count, size_t size);
/* A list of names of steps as indices, sorted, without repeats, with `room` for more after them. */
int32_t *load_steps_named(struct loader *l, const json_t *obj, const char *key, size_t room,
                          size_t *count);
/* {"step", "output"} -> the step's index, -1 after a failure. */
int32_t load_output_of(struct loader *l, const json_t *from, const char **output);

struct ir_owned *owned_new(void);
void owned_free(struct ir_owned *owned); /* takes NULL */
size_t owned_bytes(const struct ir_owned *owned);

void load_triggers(struct loader *l, const json_t *json);
struct ir_param *load_params(struct loader *l, const json_t *json, size_t *count);
void load_steps(struct loader *l, const json_t *json);
/* Parts of a step, and what is done when all are there. */
void load_program(struct loader *l, const json_t *json, struct ir_step *step);
void load_shape(struct loader *l, const json_t *json, struct ir_step *step);
void load_dag_ends(struct loader *l, const json_t *json, struct ir_dag *dag);
void load_links(struct loader *l);
