/* common/front/front.h: Leat's own YAML as a front door to the IR; what its files share.
 * ir_compile (common/ir/ir.h) is what callers see. Nothing stops at the first problem: what is
 * wrong is noted with its place and reading goes on, so that one try shows all of it.
 *
 * Reading takes four passes. declare: every entry under steps, finally and switch becomes one or
 * more steps (a program with for_each becomes a group with one step in it), what is written
 * elsewhere is fetched, all names are known. outputs: from the inside out, what each step gives.
 * read: everything else, which may refer to any of it. finish: needs, circles, what may be absent.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/names.h"
#include "common/ir/problems.h"
#include "common/schema/check.h"
#include "common/text/yaml.h"

/* What one file may come to when defaults and aliases are written out and what it uses is inlined,
 * so that a small file cannot become a huge version. */
#define FRONT_COST_MAX  (32UL << 20)
#define FRONT_UNITS_MAX 1000 /* component files */

/* One file that is read: the pipeline, or a component that it uses, however often. */
struct front_unit {
    const char *file;   /* for messages; its own references are relative to it */
    const char *place;  /* the same, relative to the pipeline's file, wherever that lies; "" = it */
    const char *origin; /* "PLACE@sha256:HEX"; NULL = the pipeline itself */
    const struct yaml_doc *doc;
    const json_t *root;
    json_t *params_out;
    struct names *params;    /* index in params_out */
    struct names *user_vars; /* _NAME of any trigger */
    struct yaml_docs docs;   /* a component's own */
};

/* Steps that stand beside one another: of the root, of a group, or of one branch of a switch. */
struct front_dag {
    int32_t group;       /* the step that it is the inside of; -1 = the root */
    int32_t depth;       /* groups around it */
    bool closed;         /* written elsewhere: its steps see nothing of outside but params */
    struct names *steps; /* by label */
};

enum front_shape {
    FRONT_PROGRAM,
    FRONT_STEPS,
    FRONT_SWITCH,
    FRONT_PIPELINE,
    FRONT_USES,
    FRONT_WAIT,
    FRONT_APPROVAL,
    FRONT_START,
    FRONT_MADE, /* by the front, or taken from another pipeline's IR: nothing is left to read */
};

/* An entry of a file becomes one step, or several inside one another; each has some of its parts.
 */
enum front_part {
    FRONT_HEAD = 1, /* needs, when, rule, …: the outermost */
    FRONT_FOR_EACH = 2,
    FRONT_LOOP = 4,
    FRONT_BODY = 8, /* what its shape says: the innermost */
};

struct front_indices {
    int32_t *items;
    size_t count, cap;
};

struct front_step {
    const char *name, *label;
    struct front_unit *unit;
    const json_t *source; /* its entry; NULL for a step that the front made */
    const char *at;       /* JSON Pointer of the entry */
    enum front_shape shape;
    unsigned parts;
    int32_t dag;
    int32_t inside; /* first of its own DAGs; -1 = it is no group */
    bool finally;
    struct front_unit *part; /* USES: what is used */
    const json_t *params;    /* PIPELINE, USES: what is declared there */
    json_t *ties;            /* USES: {INPUT: {step, output}} */
    struct names *fields;    /* FOR_EACH over a literal list: keys of its items, once asked for */
    json_t *out;             /* its IR, borrowed from front.steps_out */
    struct front_indices needs, sees; /* sees: beside its needs */
};

struct front {
    const struct ir_resolver *resolver;
    struct arena *arena;     /* names, pointers, units */
    struct front_unit *unit; /* whose places front.at means */
    struct front_unit **units;
    size_t unit_count, unit_cap;
    struct problems problems;
    size_t cost;
    struct text at; /* JSON Pointer of what is being read */
    const char *pipeline;
    bool nested; /* something of format 2 is used */
    struct front_dag *dags;
    size_t dag_count, dag_cap;
    struct names *paths; /* of all steps: index in `step` */
    struct front_step *step;
    size_t step_count, step_cap;
    json_t *steps_out;
    struct names *pins;   /* what is pinned, as text: index of the step that does it */
    struct names *opened; /* "FROM REFERENCE" of `uses`: index in units */
    json_t *kept;         /* what was fetched and is borrowed from */
    json_t *triggers_out;
    struct names *triggers;
};

/* ---- places ---------------------------------------------------------------------------------- */

/* Sets front->at from segments that end with NULL, in the file of front->unit. */
void front_at(struct front *f, ...) __attribute__((sentinel));
/* The same below the step's entry, in the step's file. */
void front_at_step(struct front *f, size_t step, ...) __attribute__((sentinel));
void front_at_index(struct front *f, size_t index); /* one more segment */
void front_at_cut(struct front *f, size_t len);     /* back to that length */
void front_use(struct front *f, struct front_unit *unit);

/* A problem at the value, or at the key, of front->at. */
#define front_problem(f, ...)     problem_at(&(f)->problems, (f)->at.data, __VA_ARGS__)
#define front_key_problem(f, ...) problem_at_key(&(f)->problems, (f)->at.data, __VA_ARGS__)

/* "; did you mean X?" or "", in a buffer of the caller's. */
#define FRONT_HINT 128
/* The same among the keys of a mapping. */
const char *front_key_hint(const struct front *f, const json_t *mapping, const char *word,
                           char out[FRONT_HINT]);
const char *front_hint(const struct front *f, const struct names *names, const char *word,
                       char out[FRONT_HINT]);

/* Counts text that goes into the IR; false, after one problem, when it is too much in all. */
bool front_spend(struct front *f, size_t bytes);
bool front_is_spent(const struct front *f);

/* ---- the passes ------------------------------------------------------------------------------ */

void front_params(struct front *f); /* of front->unit */
void front_declare_vars(struct front *f);
void front_declare(struct front *f);
void front_outputs(struct front *f);
void front_read(struct front *f);
void front_finish(struct front *f);
void front_triggers(struct front *f); /* after params */
/* {NAME: STEP.OUTPUT} of the DAG -> {NAME: {step, output}}; what is wrong is told at front->at. */
json_t *front_collect(struct front *f, int32_t dag, const json_t *outputs);

/* Parts of `declare`: steps and finally of `from` into a DAG; what `pipeline:` and `uses:` name. */
void front_declare_steps(struct front *f, int32_t dag, const json_t *from);
size_t front_add_step(struct front *f, int32_t dag, const char *label, bool finally);
int32_t front_add_dags(struct front *f, size_t group, size_t count, bool closed);
void front_graft(struct front *f, size_t step);
struct front_unit *front_open(struct front *f, size_t step);
/* What the caller's resolver has; false with a problem at front->at. */
bool front_resolve(struct front *f, enum ir_reference kind, const char *reference,
                   struct ir_found *out);
/* The IR of another pipeline, a new reference; notes it as the step's origin when it becomes a part
 * of this one. NULL with a problem at front->at, or when it need not be known yet. */
json_t *front_pipeline(struct front *f, size_t step, enum ir_reference kind, const char *reference);
struct front_unit *front_new_unit(struct front *f, const struct yaml_doc *doc, const char *file);
bool front_fits_schema(struct front *f, const struct schema_node *schema);
void front_check_keys(struct front *f, const json_t *source, enum front_shape shape);

/* Parts of `read`. */
void front_program(struct front *f, size_t step);
void front_container(struct front *f, size_t step);
void front_retry(struct front *f, size_t step);     /* of a program's attempts */
void front_retry_all(struct front *f, size_t step); /* of a group, or of a run that is started */
void front_finally_timeout(struct front *f, const json_t *from,
                           json_t *out); /* front->at is from's */
void front_inputs(struct front *f, size_t step);
void front_ties(struct front *f, size_t step);
void front_group(struct front *f, size_t step);
void front_waiting(struct front *f, size_t step); /* wait, approval, start */

/* A parameter that is given as plain text or value is checked now against its declaration; one with
 * an expression when that is evaluated. `text`: its template. Told at front->at. */
void front_given(struct front *f, const json_t *params, const char *name, const json_t *value,
                 const char *text);
/* Text is a template as it stands; the text of any other value is, with its ${{ made literal. */
char *front_template_of(const json_t *value);

/* ---- fields ---------------------------------------------------------------------------------- */

/* The value of a key of a step, or of `defaults`, NULL when neither has it; sets front->at. */
const json_t *front_field(struct front *f, size_t step, const char *key);
/* The same without defaults. */
const json_t *front_own(struct front *f, size_t step, const char *key);
/* Puts a value that only format 2 has. */
void front_put(struct front *f, json_t *out, const char *key, json_t *value);

/* Durations and sizes at front->at; `fallback` when value is NULL or not understood. */
int64_t front_duration(struct front *f, const json_t *value, int64_t least, int64_t most,
                       int64_t fallback);
int64_t front_size(struct front *f, const json_t *value, int64_t fallback);
/* Step, input and output names: a name without a dot. False with a problem at front->at's key. */
bool front_plain_name(struct front *f, const char *what, const char *name);
/* An object with at most `most` members, else a problem at front->at. */
bool front_few(struct front *f, const char *what, const json_t *object, size_t most);

/* ---- what a step may look at ----------------------------------------------------------------- */

/* The group around a step, -1 at the root and where nothing of outside is seen. */
int32_t front_outward(const struct front *f, int32_t step);
/* The step that is called `label` from where `step` stands, -1 = none. *by: the step that looks, or
 * the group around it, that stands beside the one found. */
int32_t front_find(const struct front *f, int32_t step, const char *label, int32_t *by);
/* The same, noted as looked at: needed by the step
 * or by the group around it that stands beside the found one. -1 with a problem at front->at that
 * begins with `shown`. */
int32_t front_refer(struct front *f, int32_t step, const char *label, const char *shown);
/* The same for `needs`, which is for steps that come before. */
void front_refer_need(struct front *f, int32_t step, const char *label);
/* "STEP.OUTPUT" -> index of the step, or -1 with a problem at front->at. *output points into
 * text, *type is the output's declaration. In a component STEP may be `inputs`. */
int32_t front_output(struct front *f, size_t step, const char *text, const char **output,
                     const json_t **declared);
void front_need(struct front *f, int32_t step, int32_t needed);
void front_see(struct front *f, int32_t step, int32_t seen);
void front_cut_output(const char *text, char label[IR_NAME_MAX + 1], const char **output);
