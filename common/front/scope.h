/* common/front/scope.h: what an expression of a pipeline file may refer to, by where it stands. */
#pragma once
#include <stdbool.h>
#include "common/front/front.h"
#include "common/text/cel.h"

/*         bit      name       what follows it */
#define SCOPE_ROOTS(R)                                                                             \
    R(PARAMS, "params")                                                                            \
    R(RUN, "run")                                                                                  \
    R(EVENT, "event")                                                                              \
    R(VARS, "vars")                                                                                \
    R(STEPS, "steps")                                                                              \
    R(INPUTS, "inputs")                                                                            \
    R(OUTPUTS, "outputs")                                                                          \
    R(RESULTS, "outputs")                                                                          \
    R(AROUND, "")

enum scope_root {
#define R(id, name) SCOPE_##id##_ROOT,
    SCOPE_ROOTS(R)
#undef R
        SCOPE_ROOT_COUNT,
};

#define SCOPE_PARAMS  (1U << SCOPE_PARAMS_ROOT)
#define SCOPE_RUN     (1U << SCOPE_RUN_ROOT)
#define SCOPE_EVENT   (1U << SCOPE_EVENT_ROOT)
#define SCOPE_VARS    (1U << SCOPE_VARS_ROOT)
#define SCOPE_STEPS   (1U << SCOPE_STEPS_ROOT)
#define SCOPE_INPUTS  (1U << SCOPE_INPUTS_ROOT)
#define SCOPE_OUTPUTS (1U << SCOPE_OUTPUTS_ROOT)
#define SCOPE_RESULTS (1U << SCOPE_RESULTS_ROOT) /* of the step itself, by value, not by path */
#define SCOPE_AROUND                                                                               \
    (1U << SCOPE_AROUND_ROOT) /* the item, index, loop, outcome of groups around                   \
                               */

/* The sets that there are; docs/pipelines.md has the table. */
#define SCOPE_OF_RUN  (SCOPE_PARAMS | SCOPE_RUN | SCOPE_EVENT | SCOPE_VARS)
#define SCOPE_OF_PIN  (SCOPE_OF_RUN | SCOPE_AROUND)
#define SCOPE_OF_STEP (SCOPE_OF_RUN | SCOPE_STEPS | SCOPE_AROUND)
#define SCOPE_OF_ARGV (SCOPE_OF_STEP | SCOPE_INPUTS | SCOPE_OUTPUTS)
#define SCOPE_OF_TICK (SCOPE_EVENT | SCOPE_VARS)

struct scope {
    unsigned roots;
    const char *where;  /* "run_name", for messages */
    int32_t step;       /* index of the step that it belongs to, -1 = none */
    bool own;           /* of a group: its own item and loop too */
    int32_t *innermost; /* NULL, or raised to the innermost DAG whose item or loop is looked at */
    bool before_run;    /* there is no run yet, nor its BUILD_ID and TRIGGER_NAME */
    bool git_vars_only; /* the trigger's own _NAMEs are not known yet */
};

/* Checks a reference to an item, index, loop or outcome; false when it is none. */
bool scope_around(struct front *f, const struct scope *scope, const struct cel_reference *ref);
/* The names that scope_around knows there, from inside outwards; NULL at the end. They belong to
 * the file. */
#define SCOPE_AROUND_MAX (IR_DEPTH_MAX + 4)
void scope_around_names(const struct front *f, const struct scope *scope,
                        const char *names[SCOPE_AROUND_MAX]);

/* What the values of a reference may be, by what the file declares; CEL_ANY where it says nothing.
 */
unsigned scope_types(const struct front *f, const struct scope *scope,
                     const struct cel_reference *ref);

/* Compiles what stands at front->at and checks every reference in it; references to steps become
 * needs of scope->step. Types that cannot fit are problems too. False when there was a problem,
 * which is noted. */
bool scope_template(struct front *f, const struct scope *scope, const char *source);
bool scope_condition(struct front *f, const struct scope *scope, const char *source);
/* Of one ${{ expression }} that scope_template has found good: may it give a list? Notes it when it
 * cannot. */
bool scope_list(struct front *f, const struct scope *scope, const struct template *t);
bool scope_is_taken(const char *name);         /* by something that every expression may see */
bool scope_is_variable(const struct cel *cel); /* nothing but one variable's name */
/* Does the condition look at this variable, or at `index`? False when it does not compile. */
bool scope_mentions(const char *condition, const char *name);
/* The same for an optional value: puts it into `out` under `key` when it is there and good. */
void scope_put_template(struct front *f, const struct scope *scope, const json_t *value,
                        json_t *out, const char *key);
