/* common/ir/ir.h: the one internal model of a pipeline version.
 * Front doors (Leat's YAML today) compile to the IR's canonical JSON: what Postgres stores and what
 * the version's hash is of. ir_load turns that JSON into these structs; they are read-only, shared
 * by all runs of the version, counted by references.
 * Room is kept for sub-DAGs, for_each and caching: `kind`, `iteration` in every row, `extra`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/text/cel.h"
#include "common/text/template.h"
#include "common/text/yaml.h"

/* What each text of a version may refer to; ir_compile refuses anything else, so whoever evaluates
 * must give it. `event` is the CloudEvent, absent from a run that none started; `vars` its git
 * variables and the trigger's own.
 *
 * trigger: filter                event, vars (git; not BUILD_ID, TRIGGER_NAME: there is no run)
 *
 * trigger: vars                  event, vars (git)
 *
 * trigger: params                event, vars
 *
 * trigger: run_name, experiment  event, vars, params
 *
 * objects: bucket … version      event, vars, params, run.{id,name,pipeline,experiment,number}
 *
 * step: when, image, values      the same, and steps.S.outputs.N of typed outputs
 *
 * step: argv, env, workdir       the same, and inputs.N.path, outputs.N.path */

#define IR_FORMAT           1 /* "ir" in the JSON: what this build writes and reads */
#define IR_STEPS_MAX        100000
#define IR_NAME_MAX         63
#define IR_FILE_MAX         (1024 * 1024)
#define IR_PARAMS_MAX       256
#define IR_TRIGGERS_MAX     64
#define IR_OUTPUT_VALUE_MAX 65536 /* bytes of a typed output; larger is an artifact */
#define IR_ATTEMPTS_MAX     100
#define IR_ENTRIES_MAX      256  /* inputs, outputs, env of a step; params, vars of a trigger */
#define IR_ARGV_MAX         1024 /* of command, of args */
#define IR_PROBLEMS_MAX     20   /* told by one ir_compile */

enum ir_type { IR_STRING, IR_INTEGER, IR_NUMBER, IR_BOOLEAN, IR_JSON, IR_ARTIFACT };

struct ir_param {
    const char *name;
    enum ir_type type;
    json_t *fallback; /* default; NULL = must be given */
    const char *description;
    json_t *choices; /* array or NULL */
};

enum ir_trigger_kind { IR_ON_OBJECT, IR_ON_PUSH, IR_ON_CRON, IR_ON_EVENT };
enum ir_missed { IR_MISSED_LATEST, IR_MISSED_ALL, IR_MISSED_NONE };

struct ir_trigger {
    const char *name; /* identity within the pipeline; default: the kind, kind-2, … */
    enum ir_trigger_kind kind;
    const char *source;                    /* NULL = any source of the fitting kind */
    const char *type;                      /* event: CloudEvent type, "a.b.*" matches below */
    const char *bucket, *prefix, *suffix;  /* object */
    bool created, deleted;                 /* object: which happenings; default created */
    const char *branch, *tag, *repository; /* push: glob with * and ** */
    const char *schedule, *timezone;       /* cron */
    enum ir_missed missed;
    struct cel *filter;        /* NULL = always */
    struct template *run_name; /* NULL = PIPELINE-N */
    struct template *experiment;
    struct ir_binding *params; /* templates by parameter name */
    size_t param_count;
    struct ir_binding *vars; /* _NAME: value */
    size_t var_count;
};

struct ir_binding {
    const char *name;
    struct template *value;
};

enum ir_step_kind { IR_STEP_RUN, IR_STEP_OBJECTS }; /* objects: the built-in pin of an input */
enum ir_rule { IR_ALL_SUCCEEDED }; /* trigger rules: the rest come with the DAG shapes */

enum ir_input_kind { IR_INPUT_OUTPUT, IR_INPUT_VALUE };
struct ir_input {
    const char *name;
    enum ir_input_kind kind;
    int32_t step;           /* OUTPUT: of which step (an objects step too) */
    const char *output;     /* OUTPUT: its name */
    struct template *value; /* VALUE: text given as a file */
};

struct ir_output {
    const char *name;
    enum ir_type type;
    bool optional;
};

struct ir_retry {
    int32_t max_attempts; /* >= 1 */
    int64_t first_us, cap_us;
    double factor;
    bool on_failed, on_timed_out, on_lost; /* lost has a budget of its own: */
    int32_t max_lost; /* attempts that may be lost before the step fails; default 5 */
};

struct ir_step {
    const char *name; /* "objects:STEP.INPUT" when it is built in */
    const char *description;
    enum ir_step_kind kind;
    int32_t *needs; /* indices, sorted, without repeats; implied ones included */
    size_t need_count;
    int32_t *dependents; /* the reverse */
    size_t dependent_count;
    enum ir_rule rule;
    struct cel *when;     /* NULL = always */
    const char *executor; /* NULL = the worker's default; "process", "noop", "docker" */
    struct template *image;
    struct template **argv; /* command then args */
    size_t argv_count;
    size_t command_count; /* how many of argv are command: 0 = the image's entry point stays */
    struct template *workdir;
    struct ir_binding *env;
    size_t env_count;
    struct ir_input *inputs;
    size_t input_count;
    struct ir_output *outputs;
    size_t output_count;
    struct template *bucket, *prefix, *suffix, *key, *object_version; /* objects */
    const char **secrets;
    size_t secret_count;
    const char *pool; /* NULL = default */
    int32_t slots;    /* >= 0; default 1 */
    double cpu;
    int64_t memory;
    int32_t gpu;
    json_t *container; /* as in the file, shm in bytes; NULL = nothing said */
    struct ir_retry retry;
    int64_t timeout_us;    /* 0 = none */
    int64_t lost_after_us; /* 0 = the cluster's */
    int64_t grace_us;      /* TERM to KILL; 0 = the cluster's */
    int64_t log_limit;     /* bytes; default 64 MiB */
    json_t *extra;         /* what this build does not know, kept */
};

enum ir_concurrency_policy { IR_CONCURRENCY_NONE, IR_CONCURRENCY_QUEUE };

struct ir {
    const char *name;
    const char *description;
    const char *experiment; /* NULL = the pipeline's name */
    char hash[SHA256_HEX];
    enum ir_concurrency_policy concurrency;
    int32_t concurrency_limit;
    int64_t timeout_us; /* of the run; 0 = none */
    struct ir_param *params;
    size_t param_count;
    struct ir_trigger *triggers;
    size_t trigger_count;
    struct ir_step *steps; /* topological order is not promised; cycles are excluded */
    size_t step_count;
    int32_t refs;
    struct arena *arena;
    struct ir_owned *owned; /* names, and everything compiled: one for each text, shared */
    json_t *json; /* the canonical JSON it was loaded from; NULL once ir_drop_json was called */
};

/* YAML document (kind: pipeline) -> canonical IR JSON, a new reference. Everything that can be
 * known now is checked here: schema, names, references (a reference to a step implies `needs`),
 * cycles (named step by step), types, CEL, templates, cron, zones, limits. NULL with LEAT_EINPUT
 * and "NAME:LINE:COLUMN: what is wrong and what to do" of the first problem in the file; when
 * several things are wrong up to IR_PROBLEMS_MAX of them are in `all` (may be NULL), one a line, in
 * order of the file. `name` is only for messages. Reads zone files; does not block otherwise. */
json_t *ir_compile(const struct yaml_doc *doc, const char *name, struct text *all, struct err *err);

/* sha256 of the canonical JSON text. */
void ir_hash(const json_t *ir_json, char out[SHA256_HEX]);

/* Canonical JSON -> structs, with one reference. NULL and err when it is not an IR of this build.
 */
struct ir *ir_load(const json_t *ir_json, struct err *err);
struct ir *ir_ref(struct ir *ir);
void ir_unref(struct ir *ir);                                 /* takes NULL */
int32_t ir_step_index(const struct ir *ir, const char *name); /* -1 = none; O(1) */
size_t ir_bytes(const struct ir *ir); /* about what it holds in memory, the JSON apart */
void ir_drop_json(struct ir *ir);     /* ir->json = NULL, for those who have no more use for it */

/* Checks given parameters against the declarations and fills in the defaults: a new object.
 * Text given for a typed parameter is read as that type when `from_text`. LEAT_EINPUT names it. */
json_t *ir_params(const struct ir *ir, const json_t *given, bool from_text, struct err *err);

/* Reads a typed output's text (one newline at the end trimmed) as its type. */
json_t *ir_output_value(enum ir_type type, const char *text, size_t len, struct err *err);
const char *ir_type_name(enum ir_type type);

/* Does this trigger's kind, source, bucket … fit the event? The CEL filter is apart: it may fail,
 * which is a verdict. Pure. */
struct event; /* schema/gen/messages.h */
bool ir_trigger_fits(const struct ir_trigger *trigger, const char *pipeline,
                     const struct event *event);
