/* common/ir/ir.h: the one internal model of a pipeline version.
 * Front doors (Leat's YAML today) compile to the IR's canonical JSON: what Postgres stores and what
 * the version's hash is of. ir_load turns that JSON into these structs; they are read-only and
 * shared by all runs of the version.
 *
 * Steps are one flat list; a row of the database names one by its index there. They make nested
 * DAGs: a group holds one DAG (or one for each branch of a switch), and each step stands in exactly
 * one DAG, at a `place`. A group is exactly one of plain, switch, for_each and loop: a file that
 * puts two of them on one step gets groups inside one another, all under the step's name
 * (NAME, NAME/NAME, …), and so does a program with for_each or loop. */
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
 * step: when, image, values      the same, and steps.S.outputs.N of typed outputs, steps.S.state
 *
 * step: argv, env, workdir       the same, and inputs.N.path, outputs.N.path
 *
 * group: when, items, branches'  as a step's when. items may not look at the group's own item
 *
 * group: params                  as a step's when, and the group's own item, index, loop
 *
 * loop: until                    as a step's when, and outputs.N of the group's typed outputs and
 *                                loop.{index,previous.N} of the round that has ended
 *
 * wait: filter                   params, run, steps, and `event`: the candidate, not the run's
 *
 * approval: message; start       as a step's when
 *
 * concurrency: key               event, vars, params
 *
 * Inside groups there is more, found by walking outwards from the step: first the DAG that it
 * stands in, then the one around that, … up to the root of the run or to a group with `scope`.
 *   steps    the steps in ir_step.sees, by their `label`: names are never shadowed, so one map does
 *   ITEM     the value of the nearest for_each whose `as` is that name; `index` (from 0) of the
 *            nearest for_each
 *   loop     of the nearest loop: loop.index from 0, loop.previous.N: the outputs of the round
 *            before by name, each null in the first round or when it was not written
 *   outcome  of the nearest step around (or itself) that is `finally`: outcome.state of the DAG
 *            that it ends, succeeded | failed | cancelled, and outcome.reason
 *   params   of the nearest group with `scope`, else the run's
 * A group with `scope` (a pipeline or component that was written elsewhere) ends the walk: what is
 * inside sees no step, item, loop or outcome of outside. run, event and vars are seen everywhere.
 */

#define IR_FORMAT           2 /* "ir" in the JSON: the newest that this build writes and reads */
#define IR_FORMAT_FLAT      1 /* written where nothing of 2 is used, so that its hash stays */
#define IR_STEPS_MAX        100000
#define IR_DEPTH_MAX        16 /* groups around a step */
#define IR_NAME_MAX         63 /* one segment of a step's name */
#define IR_BRANCHES_MAX     100
#define IR_ITEMS_MAX        10000        /* of a for_each, literal or computed */
#define IR_ITEMS_BYTES_MAX  (256 * 1024) /* of their canonical text together */
#define IR_ROUNDS_MAX       1000         /* of a loop */
#define IR_PARALLEL_MAX     10000
#define IR_COLLECTED_MAX    (256 * 1024)      /* bytes of one collected output that is typed */
#define IR_ARTIFACTS_MAX    (4 * 1024 * 1024) /* and of artifacts: some 35,000 */
#define IR_LIVE_STEPS_MAX   100000            /* live instances of steps in a run */
#define IR_LIMITS_MAX       16                /* named limits of a step */
#define IR_LIMIT_USE_MAX    1000000
#define IR_START_DEPTH_MAX  16 /* runs that started one another */
#define IR_APPROVERS_MAX    64
#define IR_EXIT_CODES_MAX   64
#define IR_PRIORITY_MAX     100
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
    json_t *choices;        /* array or NULL */
    struct template *value; /* of a group with `scope`: what it is given; NULL = its default */
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

enum ir_step_kind {
    IR_STEP_RUN,
    IR_STEP_OBJECTS,  /* the built-in pin of an input */
    IR_STEP_GROUP,    /* ir_step.group; runs nothing itself */
    IR_STEP_WAIT,     /* ir_step.wait: for an event */
    IR_STEP_APPROVAL, /* ir_step.approval: for a person */
    IR_STEP_START,    /* ir_step.start: a run of another pipeline */
};

/* Judged once, when all that a step needs is over; what it needs and gets not makes it skipped or
 * upstream_failed. */
enum ir_rule {
    IR_ALL_SUCCEEDED,
    IR_ALL_DONE,
    IR_ANY_FAILED, /* failed, upstream_failed or cancelled */
    IR_ANY_SUCCEEDED,
    IR_NONE_FAILED, /* succeeded or skipped */
};

enum ir_input_kind { IR_INPUT_OUTPUT, IR_INPUT_VALUE };
struct ir_input {
    const char *name;
    enum ir_input_kind kind;
    /* OUTPUT: of which step (an objects step too). It stands in the step's own DAG or in one around
     * it, whatever scopes lie between: a component's inputs are tied to the steps of its user. Of
     * an output that is a list it is a folder with one entry for each element, by place. */
    int32_t step;
    const char *output;     /* OUTPUT: its name */
    struct template *value; /* VALUE: text given as a file */
};

struct ir_output {
    const char *name;
    enum ir_type type; /* of each element, when it is a list */
    bool optional;     /* it may be absent although the step succeeded */
    int32_t list;      /* how many lists are around it: one for each for_each; 0 = none */
    const char *path;  /* where in its container the step leaves it; NULL = among its outputs */
};

struct ir_retry {
    int32_t max_attempts; /* >= 1 */
    int64_t first_us, cap_us;
    double factor;
    bool on_failed, on_timed_out, on_lost; /* lost has a budget of its own: */
    int32_t max_lost; /* attempts that may be lost before the step fails; default 5 */
    /* Of failed attempts: only those with one of these exit codes are tried again (who has none,
     * -1, is not), and those with one of the others never; each sorted, NULL and 0 = no such list.
     */
    int32_t *exit_codes, *not_exit_codes;
    size_t exit_code_count, not_exit_code_count;
};

/* One output of a DAG as a whole: which output of which of its steps it is. */
struct ir_collected {
    const char *name;
    int32_t step;
    const char *output;
};

/* The root of a run, the inside of a group, or one branch of a switch. */
struct ir_dag {
    int32_t *steps; /* indices, by place: work first, then finally, each in order of index */
    size_t count;   /* all of them */
    size_t work;    /* those that are not finally; >= 1 */
    struct ir_collected *outputs; /* by name */
    size_t output_count;
    int64_t finally_us; /* how long its finally steps may take together */
};

struct ir_branch {
    struct cel *when; /* NULL = always: the last of a switch, and what is no switch */
    struct ir_dag dag;
};

enum ir_group_mode { IR_GROUP_PLAIN, IR_GROUP_SWITCH, IR_GROUP_FOR_EACH, IR_GROUP_LOOP };
enum ir_items { IR_ITEMS_LITERAL, IR_ITEMS_VALUE, IR_ITEMS_FOLDER };

struct ir_group {
    enum ir_group_mode mode;
    struct ir_branch *branches; /* the first whose `when` holds is taken; none holds: skipped */
    size_t branch_count;        /* 1 unless SWITCH */
    /* FOR_EACH: a literal list, an expression that gives one, or the sorted names in the folder
     * that is output `folder_output` of step `folder_step`. */
    enum ir_items items_kind;
    json_t *items;
    struct template *items_value;
    int32_t folder_step; /* else -1 */
    const char *folder_output;
    const char *as;      /* "item" unless the file says another */
    int32_t parallelism; /* 0 = no limit */
    bool fail_fast;
    /* LOOP */
    struct cel *until;
    int32_t max;
    int64_t delay_us; /* between rounds */
    /* Written elsewhere: sees `params` and nothing of outside. `origin` says where it was written,
     * "NAME@HASH" of a pipeline or "FILE@sha256:HEX" of a component; NULL = in this file. */
    bool scope;
    struct ir_param *params;
    size_t param_count;
    const char *origin;
};

struct ir_wait {
    const char *type;   /* of the event, as a trigger's */
    const char *source; /* NULL = any */
    struct cel *filter; /* NULL = always */
};

enum ir_on_timeout { IR_TIMEOUT_FAIL, IR_TIMEOUT_SKIP, IR_TIMEOUT_APPROVE };
struct ir_approval {
    const char **by; /* who may answer; none = everybody who may approve */
    size_t by_count;
    struct template *message; /* NULL = none */
    enum ir_on_timeout on_timeout;
};

struct ir_start {
    const char *pipeline;
    struct ir_binding *params; /* as a trigger's */
    size_t param_count;
    struct template *name; /* NULL = PIPELINE-N */
    bool wait;             /* the step ends with the run, and fails with it */
};

struct ir_limit_use {
    const char *name;
    int32_t n; /* how much of it is taken, >= 1 */
};

struct ir_step {
    const char *name;  /* a path, "train-all/fit"; "objects:STEP.INPUT" when it is built in */
    const char *label; /* its last segment, what expressions call it */
    const char *description;
    enum ir_step_kind kind;
    int32_t parent; /* the group that it stands in; -1 = the root */
    int32_t branch; /* of the parent, from 0 */
    int32_t place;  /* in its DAG's steps[]: ir_dag_of(ir, i)->steps[place] == i */
    int32_t depth;  /* groups around it; 0 = the root */
    bool finally;   /* runs when all work of its DAG is over */
    int32_t *needs; /* indices of siblings (same parent, branch, finally), sorted, without repeats;
                       implied ones included: what a group's inside looks at, the group needs */
    size_t need_count;
    int32_t *dependents; /* the reverse */
    size_t dependent_count;
    /* Whose state and outputs its expressions may look at, sorted: its needs, steps of DAGs around
     * it that a group around it needs, and what is around or is finally sees the work of its DAG.
     * All of these are over when the step begins. */
    int32_t *sees;
    size_t see_count;
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
    int64_t timeout_us;          /* 0 = none */
    int64_t lost_after_us;       /* 0 = the cluster's */
    int64_t grace_us;            /* TERM to KILL; 0 = the cluster's */
    int64_t log_limit;           /* bytes; default 64 MiB */
    bool allow_failure;          /* its failure does not fail what it stands in */
    bool at_most_once;           /* granted before it starts, never tried again by itself */
    int32_t priority;            /* -100..100 */
    int64_t queue_timeout_us;    /* ready without a worker that long: failed; 0 = none */
    int64_t heartbeat_us;        /* how often the program must touch LEAT_PROGRESS; 0 = never */
    bool cache;                  /* its result may be an earlier one's */
    int64_t cache_us;            /* at most so old; 0 = any age */
    struct ir_limit_use *limits; /* by name */
    size_t limit_count;
    struct ir_group *group; /* by kind; NULL for the others */
    struct ir_wait *wait;   /* wait and approval: timeout_us is never 0 */
    struct ir_approval *approval;
    struct ir_start *start;
    json_t *extra; /* what this build does not know, kept */
};

enum ir_concurrency_policy {
    IR_CONCURRENCY_NONE,
    IR_CONCURRENCY_QUEUE,
    IR_CONCURRENCY_SKIP,
    IR_CONCURRENCY_CANCEL_RUNNING,
    IR_CONCURRENCY_LATEST_ONLY,
};

struct ir {
    const char *name;
    const char *description;
    const char *experiment; /* NULL = the pipeline's name */
    enum ir_concurrency_policy concurrency;
    int32_t concurrency_limit;
    struct template *concurrency_key; /* NULL = one for the pipeline */
    int64_t timeout_us;               /* of the run; 0 = none */
    int64_t queue_timeout_us;         /* as queued; 0 = none */
    int32_t priority;                 /* -100..100 */
    struct ir_param *params;
    size_t param_count;
    struct ir_trigger *triggers;
    size_t trigger_count;
    struct ir_step *steps; /* topological order is not promised; cycles are excluded */
    size_t step_count;
    struct ir_dag root; /* of a file without groups: every step, place = index */
    struct arena *arena;
    struct ir_owned *owned; /* names, and everything compiled: one for each text, shared */
    json_t *json; /* the canonical JSON it was loaded from; NULL once ir_drop_json was called */
};

/* What a file names that is written elsewhere. */
enum ir_reference {
    IR_REFERENCE_PIPELINE,  /* `pipeline: NAME[@VERSION]`: a version's canonical IR JSON */
    IR_REFERENCE_START,     /* `start: {pipeline: NAME}`: the same, of the current version; no bytes
                               = it is there and cannot be looked at */
    IR_REFERENCE_COMPONENT, /* `uses: ./FILE` or `https://…`, without its hash: the file's YAML */
    IR_REFERENCE_LIMIT,     /* `limits: [NAME]`: no bytes; whether it is there */
    IR_REFERENCE_IMAGE, /* `image: NAME[:TAG]`: its digest, "sha256:…"; no bytes = the name stays */
};

struct ir_found { /* owned by whoever asked */
    char *bytes;
    size_t len;
    char *name; /* a component: its own file name, which its references are relative to */
};
void ir_found_free(struct ir_found *found); /* back to empty */

/* How a compiler gets at it: 0 and *out filled, or an error whose text says why not. `from` is the
 * file that names it. Called several times with the same reference; must give the same each time.
 * Hashes are checked by who asks. */
struct ir_resolver {
    int (*find)(void *arg, enum ir_reference kind, const char *reference, const char *from,
                struct ir_found *out, struct err *err);
    void *arg;
};

/* "./b.yaml" or "../b.yaml" as named in file "x/y/a.yaml" -> "x/y/b.yaml" or "x/b.yaml"; malloc'd.
 * Text only: nothing is looked up. NULL with LEAT_EINPUT when `from` came over https. */
char *ir_relative(const char *from, const char *reference, struct err *err);

/* YAML document (kind: pipeline) -> canonical IR JSON, a new reference. Everything that can be
 * known now is checked here: schema, names, references (a reference to a step implies `needs`),
 * cycles (named step by step), types, CEL, templates, cron, zones, limits. NULL with LEAT_EINPUT
 * and "NAME:LINE:COLUMN: what is wrong and what to do" of the first problem in the file; when
 * several things are wrong up to IR_PROBLEMS_MAX of them are in `all` (may be NULL), one a line, in
 * order of the file. `name` is only for messages, and what `uses` is relative to. Without a
 * resolver (NULL) files that name others are refused. Reads zone files; does not block otherwise.
 */
json_t *ir_compile(const struct yaml_doc *doc, const char *name, const struct ir_resolver *resolver,
                   struct text *all, struct err *err);

/* sha256 of the canonical JSON text. */
void ir_hash(const json_t *ir_json, char out[SHA256_HEX]);

/* Canonical JSON -> structs. NULL and err when it is not an IR of this build.
 */
struct ir *ir_load(const json_t *ir_json, struct err *err);
void ir_free(struct ir *ir);                                  /* takes NULL */
int32_t ir_step_index(const struct ir *ir, const char *name); /* a path; -1 = none; O(1) */
/* The DAG that step `index` stands in. */
const struct ir_dag *ir_dag_of(const struct ir *ir, int32_t index);
/* The output `name` of a step, NULL = it has none. O(outputs). */
const struct ir_output *ir_output_find(const struct ir_step *step, const char *name);
size_t ir_bytes(const struct ir *ir); /* about what it holds in memory, the JSON apart */
void ir_drop_json(struct ir *ir);     /* ir->json = NULL, for those who have no more use for it */

/* Checks given parameters against the declarations and fills in the defaults: a new object.
 * Text given for a typed parameter is read as that type when `from_text`. LEAT_EINPUT names it. */
json_t *ir_params(const struct ir *ir, const json_t *given, bool from_text, struct err *err);

/* The same for a group with `scope`, whose expressions see `vars` (as a step's when, and the
 * group's own item, index and loop): a new object. */
json_t *ir_group_params(const struct ir_group *group, const struct cel_vars *vars, struct err *err);
/* What a for_each has come to when it is known: a list within the limits. LEAT_EINPUT, LEAT_ELIMIT.
 */
int ir_items_check(const json_t *items, struct err *err);

/* How what a step needs has ended. `failed` counts failed, upstream_failed and cancelled ones. */
struct ir_ends {
    size_t succeeded, skipped, failed;
};
enum ir_verdict { IR_VERDICT_RUN, IR_VERDICT_SKIP, IR_VERDICT_UPSTREAM_FAILED };
/* What becomes of a step when all that it needs is over; without any need each rule but any_failed
 * and any_succeeded lets it run. docs/pipelines.md has the table. */
enum ir_verdict ir_rule_judge(enum ir_rule rule, const struct ir_ends *ends);

/* What a text of step `step` sees that need not be what it was, when its run is made again with the
 * run's parameters `now` instead of `then`: bits, 0 = it comes to the same. `event`, `vars` and
 * `run` count as the same. Parameters of a group with `scope` are what their own texts see. Pure;
 * O(references): what a parameter of a scope around is given is looked at once. */
enum {
    IR_SEES_OTHER = 1, /* a parameter that is another, other steps, a round, an outcome */
    IR_SEES_ITEM = 2,  /* an item of a for_each around, or its index */
};
unsigned ir_sees_again(const struct ir *ir, int32_t step, const struct template *text,
                       const json_t *now, const json_t *then);

/* Reads a typed output's text (one newline at the end trimmed) as its type. */
json_t *ir_output_value(enum ir_type type, const char *text, size_t len, struct err *err);
const char *ir_type_name(enum ir_type type);

/* Does this trigger's kind, source, bucket … fit the event? The CEL filter is apart: it may fail,
 * which is a verdict. Pure. */
struct event; /* schema/gen/messages.h */
bool ir_trigger_fits(const struct ir_trigger *trigger, const char *pipeline,
                     const struct event *event);
/* The same for what a step waits for. */
bool ir_wait_fits(const struct ir_wait *wait, const struct event *event);
