/* common/front/front.h: Leat's own YAML as a front door to the IR; what its files share.
 * ir_compile (common/ir/ir.h) is what callers see. Nothing stops at the first problem: what is
 * wrong is noted with its place and reading goes on, so that one try shows all of it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/names.h"
#include "common/ir/problems.h"
#include "common/text/yaml.h"

/* What one file may come to when defaults and aliases are written out, so that a small file cannot
 * become a huge version. */
#define FRONT_COST_MAX (32UL << 20)

struct front_step {
    const char *name;
    const json_t *source; /* its part of the file; NULL for a step that the front made */
    json_t *out;          /* its IR, borrowed from front.steps_out */
    int32_t *needs;
    size_t need_count, need_cap;
};

struct front {
    const struct yaml_doc *doc;
    const json_t *root;
    struct problems problems;
    size_t cost;
    struct text at; /* JSON Pointer of what is being read */
    const char *pipeline;
    json_t *params_out;
    struct names *params;    /* index in params_out */
    struct names *user_vars; /* _NAME of any trigger */
    struct names *steps;     /* index in `step` */
    struct front_step *step;
    size_t step_count, step_cap;
    json_t *steps_out;
    struct names *pins; /* what is pinned, as text: index of the step that does it */
    char **texts;       /* the keys of `pins` */
    size_t text_count, text_cap;
    json_t *triggers_out;
    struct names *triggers;
};

/* Sets front->at from segments that end with NULL. */
void front_at(struct front *f, ...) __attribute__((sentinel));
void front_at_index(struct front *f, size_t index); /* one more segment */

/* Counts text that goes into the IR; false, after one problem, when it is too much in all. */
bool front_spend(struct front *f, size_t bytes);

/* A problem at the value, or at the key, of front->at. */
#define front_problem(f, ...)     problem_at(&(f)->problems, (f)->at.data, __VA_ARGS__)
#define front_key_problem(f, ...) problem_at_key(&(f)->problems, (f)->at.data, __VA_ARGS__)

/* "; did you mean X?" or "", in a buffer of the caller's. */
#define FRONT_HINT 128
const char *front_hint(const struct front *f, const struct names *names, const char *word,
                       char out[FRONT_HINT]);

/* Each part of the file; what it finds goes into front and its *_out. */
void front_params(struct front *f);
void front_steps(struct front *f);    /* names and indices first, then each step */
void front_triggers(struct front *f); /* after params */
void front_declare_vars(struct front *f);
void front_inputs(struct front *f, size_t step);
void front_graph(struct front *f); /* needs without repeats, by name; cycles */

/* The value of a key of a step, or of `defaults`, NULL when neither has it; sets front->at. */
const json_t *front_field(struct front *f, const struct front_step *step, const char *key);
/* A new row; `source` NULL for one that the front makes. Returns its index. */
size_t front_add_step(struct front *f, const char *name, const json_t *source);
void front_need(struct front *f, size_t step, int32_t needed);
/* "STEP.OUTPUT" -> index of the step, or -1 with a problem at front->at. *output points into
 * text. */
int32_t front_output(struct front *f, const char *text, const char **output);

/* Durations and sizes at front->at; `fallback` when value is NULL or not understood. */
int64_t front_duration(struct front *f, const json_t *value, int64_t least, int64_t most,
                       int64_t fallback);
int64_t front_size(struct front *f, const json_t *value, int64_t fallback);
/* Step, input and output names: a name without a dot. False with a problem at front->at's key. */
bool front_plain_name(struct front *f, const char *what, const char *name);
/* An object with at most IR_ENTRIES_MAX members, else a problem at front->at. */
bool front_few(struct front *f, const char *what, const json_t *object, size_t most);
