/* Made by schema/gen.py from schema/messages; do not edit. */

#pragma once
#include "common/schema/message.h"

struct change_run {
    struct uuid run;
    const char *state;
    const char *reason; /* its first bytes; absent = none */
};
extern const struct shape shape_change_run;

struct change_step {
    struct uuid run;
    int64_t step;
    int64_t iteration;
    const char *state;
    int64_t attempt;
    struct uuid attempt_id; /* names the chunks of its log; absent = none */
    const char *reason; /* its first bytes; absent = none */
};
extern const struct shape shape_change_step;

struct change_command {
    struct uuid id;
    const char *status;
    const char *detail;
};
extern const struct shape shape_change_command;

/* leat.changes: one record a batch; a reader that sees a gap in tx_seq re-reads Postgres */
struct change {
    struct message_hold hold;
    int64_t v;
    int64_t epoch;
    int64_t tx_seq;
    bool partial; /* more changed than fits in 256 KiB: re-read */
    struct change_run *runs;
    size_t runs_count;
    struct change_step *steps;
    size_t steps_count;
    struct change_command *commands;
    size_t commands_count;
    struct uuid *events;
    size_t events_count;
};
extern const struct shape shape_change;
int change_decode(const char *data, size_t len, struct change *out, struct err *err);
char *change_encode(const struct change *message, size_t *len); /* malloc'd */
void change_clear(struct change *message);

enum command_kind {
    COMMAND_KIND_NONE,
    COMMAND_KIND_RUN,
    COMMAND_KIND_CANCEL,
    COMMAND_KIND_RETRY,
    COMMAND_KIND_DRAIN,
    COMMAND_KIND_RESUME,
    COMMAND_KIND_REMOVE,
    COMMAND_KIND_APPROVE,
    COMMAND_KIND_RERUN,
    COMMAND_KIND_ONLY,
};
const char *command_kind_name(int value); /* "" for COMMAND_KIND_NONE */

enum command_answer {
    COMMAND_ANSWER_NONE,
    COMMAND_ANSWER_APPROVED,
    COMMAND_ANSWER_REJECTED,
};
const char *command_answer_name(int value); /* "" for COMMAND_ANSWER_NONE */

/* leat.commands, keyed by run */
struct command {
    struct message_hold hold;
    int64_t v;
    struct uuid id;
    int kind; /* enum command_kind */
    struct uuid run; /* run, retry, rerun, only: the id of the run to make; cancel, approve: the run meant; drain, resume, remove: made from the worker's name, only the key */
    const char *at;
    const char *pipeline; /* run, only */
    const char *version; /* run, only: a version's hash; absent = the current one */
    json_t *params; /* run: given parameters; rerun, only: those that are other than of then */
    const char *name; /* run: name; absent = PIPELINE-N */
    const char *experiment;
    bool no_cache; /* run, retry, rerun, only: no step takes an earlier result */
    struct uuid of; /* retry, rerun, only: the finished run */
    const char *from; /* retry: path of the step from which on everything runs anew */
    const char *step; /* approve: the step's path */
    int64_t iteration; /* approve: of a step in a group; absent or 0 = the only one that waits */
    int answer; /* enum command_answer; approve */
    const char *comment; /* approve */
    const char *steps; /* only: paths of the steps that run, with commas between */
    bool anyway; /* rerun: also without the event, when that is gone */
    const char *worker; /* drain, resume, remove */
    const char *by;
};
extern const struct shape shape_command;
int command_decode(const char *data, size_t len, struct command *out, struct err *err);
char *command_encode(const struct command *message, size_t *len); /* malloc'd */
void command_clear(struct command *message);

/* leat.events: a CloudEvents 1.0 envelope */
struct event {
    struct message_hold hold;
    const char *specversion;
    struct uuid id; /* UUIDv5(source, the provider's own delivery key) */
    const char *source; /* URI reference of the producer */
    const char *type; /* dev.leat.object.created, dev.leat.object.deleted, dev.leat.git.push, dev.leat.cron, or as received */
    const char *subject;
    const char *time; /* when it happened, by the trigger's clock where the provider gives none; fixed once and the same in every repeat */
    const char *datacontenttype;
    const char *leatsource; /* name of the declared source; cron events: cron */
    const char *leatpipeline; /* cron events: the only pipeline meant */
    const char *leattrigger; /* cron events: the only trigger meant */
    json_t *vars; /* git variables by name */
    json_t *data;
    const char *dataref; /* sha256 of the body in the store when it is over 256 KiB; data is then absent */
};
extern const struct shape shape_event;
int event_decode(const char *data, size_t len, struct event *out, struct err *err);
char *event_encode(const struct event *message, size_t *len); /* malloc'd */
void event_clear(struct event *message);

struct order_env {
    const char *name;
    const char *value;
};
extern const struct shape shape_order_env;

/* the same, too long for an order: without `list` it is asked of the API */
struct order_list {
    int64_t step;
    int64_t iteration;
    const char *output;
};
extern const struct shape shape_order_list;

struct order_input {
    const char *name;
    const char *artifact; /* sha256 in the store */
    bool folder; /* the artifact is a folder manifest */
    bool objects; /* the artifact is the manifest of a pinned object set: arrives as files/KEY and manifest.json */
    json_t *list; /* a list of artifacts, {artifact, folder}, null or a list each; arrives as a folder with one entry an element, called by its place */
    struct order_list *of; /* the same, too long for an order: without `list` it is asked of the API */
    json_t *value; /* an upstream typed output; arrives as a file with its text */
};
extern const struct shape shape_order_input;

enum order_output_type {
    ORDER_OUTPUT_TYPE_NONE,
    ORDER_OUTPUT_TYPE_ARTIFACT,
    ORDER_OUTPUT_TYPE_STRING,
    ORDER_OUTPUT_TYPE_INTEGER,
    ORDER_OUTPUT_TYPE_NUMBER,
    ORDER_OUTPUT_TYPE_BOOLEAN,
    ORDER_OUTPUT_TYPE_JSON,
};
const char *order_output_type_name(int value); /* "" for ORDER_OUTPUT_TYPE_NONE */

struct order_output {
    const char *name;
    int type; /* enum order_output_type */
    bool optional;
    const char *path; /* containers: where in it; absent = in the folder of outputs */
};
extern const struct shape shape_order_output;

enum order_container_pull {
    ORDER_CONTAINER_PULL_NONE,
    ORDER_CONTAINER_PULL_IF_MISSING,
    ORDER_CONTAINER_PULL_ALWAYS,
    ORDER_CONTAINER_PULL_NEVER,
};
const char *order_container_pull_name(int value); /* "" for ORDER_CONTAINER_PULL_NONE */

/* containers */
struct order_container {
    int pull; /* enum order_container_pull */
    const char *network;
    double cpu; /* processors; 0 = no limit */
    int64_t memory; /* bytes, swap included; 0 = no limit */
    int64_t gpu;
    int64_t shm; /* bytes of /dev/shm; 0 = the usual */
    int64_t pids; /* 0 = the usual */
    bool read_only; /* the image's root folder */
    const char *registry_secret; /* name of a secret USER:PASSWORD */
};
extern const struct shape shape_order_container;

enum order_start_executor {
    ORDER_START_EXECUTOR_NONE,
    ORDER_START_EXECUTOR_PROCESS,
    ORDER_START_EXECUTOR_NOOP,
    ORDER_START_EXECUTOR_OBJECTS,
    ORDER_START_EXECUTOR_DOCKER,
};
const char *order_start_executor_name(int value); /* "" for ORDER_START_EXECUTOR_NONE */

/* start: the work. Every string is final; nothing is substituted after this */
struct order_start {
    struct uuid run;
    const char *run_name;
    const char *pipeline;
    const char *experiment;
    const char *step; /* name */
    int64_t iteration;
    int64_t number; /* 1, 2, …: which attempt this is */
    int executor; /* enum order_start_executor; objects is the built-in that pins a bucket's object set */
    const char *image;
    const char **argv;
    size_t argv_count;
    int64_t command; /* containers: so many of argv replace the image's entry point; 0 = it stays */
    const char *workdir;
    struct order_env *env;
    size_t env_count;
    struct order_input *inputs;
    size_t inputs_count;
    struct order_output *outputs;
    size_t outputs_count;
    const char **listed; /* of these outputs, where they are folders, the sorted names are wanted */
    size_t listed_count;
    const char *bucket; /* objects: which */
    const char *prefix; /* objects */
    const char *suffix; /* objects */
    const char *key; /* objects: one object instead of a set */
    const char *version; /* objects: of that one object */
    struct order_container *container; /* containers */
    const char **secrets; /* names; the worker fetches the values from the API */
    size_t secrets_count;
    json_t *event; /* the CloudEvent, for the file LEAT_EVENT */
    bool at_most_once; /* asks leave before it starts, and starts on the grant that names it */
    int64_t timeout_us; /* 0 = none */
    int64_t lost_after_us;
    int64_t heartbeat_us; /* how often the program must touch LEAT_PROGRESS; 0 = never */
    int64_t log_limit; /* bytes */
};
extern const struct shape shape_order_start;

enum order_kind {
    ORDER_KIND_NONE,
    ORDER_KIND_START,
    ORDER_KIND_CANCEL,
    ORDER_KIND_REVOKE,
    ORDER_KIND_GRANT,
};
const char *order_kind_name(int value); /* "" for ORDER_KIND_NONE */

/* leat.orders.WORKER, scheduler to worker */
struct order {
    struct message_hold hold;
    int64_t v;
    int kind; /* enum order_kind */
    int64_t epoch; /* of the sender; a worker drops what is below the highest it has seen */
    struct uuid attempt; /* start, cancel, revoke; grant: it may start now (at_most_once) */
    int64_t nonce; /* with attempt: names the placing */
    struct uuid incarnation; /* start: refused by any other life of the worker */
    int64_t heartbeat; /* grant: number of the heartbeat that it answers; 0 = only acknowledges */
    int64_t committed; /* grant: highest contiguous committed report of this worker */
    int64_t grace_us; /* cancel, start: time between TERM and KILL */
    const char *reason; /* cancel, revoke */
    struct order_start *start; /* start: the work. Every string is final; nothing is substituted after this */
};
extern const struct shape shape_order;
int order_decode(const char *data, size_t len, struct order *out, struct err *err);
char *order_encode(const struct order *message, size_t *len); /* malloc'd */
void order_clear(struct order *message);

struct held_attempt {
    struct uuid attempt;
    int64_t nonce;
};
extern const struct shape shape_held_attempt;

struct report_hello {
    const char *boot; /* kernel boot id */
    int64_t slots;
    const char *pool;
    double cpu;
    int64_t memory;
    int64_t gpu;
    json_t *labels;
    const char **executors; /* what it can run; the first is its default */
    size_t executors_count;
    const char **abilities; /* what it can beyond the first version's orders (scheduler/core/place/abilities.h); a step that needs one waits for a worker that has it */
    size_t abilities_count;
    const char *runtime; /* for people: what steps with an image run in, and why */
    const char *workspace; /* absolute folder; attempt A of the process executor has WORKSPACE/A/in/NAME and WORKSPACE/A/out/NAME */
    struct held_attempt *held; /* journalled and known to the keeper, or finished and not yet acknowledged */
    size_t held_count;
    int64_t orders; /* next order offset that it will read */
    int64_t epoch; /* highest it has seen */
    const char *version;
};
extern const struct shape shape_report_hello;

enum report_result_outcome {
    REPORT_RESULT_OUTCOME_NONE,
    REPORT_RESULT_OUTCOME_SUCCEEDED,
    REPORT_RESULT_OUTCOME_FAILED,
    REPORT_RESULT_OUTCOME_TIMED_OUT,
    REPORT_RESULT_OUTCOME_CANCELLED,
    REPORT_RESULT_OUTCOME_REVOKED,
    REPORT_RESULT_OUTCOME_REFUSED,
    REPORT_RESULT_OUTCOME_LOST,
};
const char *report_result_outcome_name(int value); /* "" for REPORT_RESULT_OUTCOME_NONE */

/* finished */
struct report_result {
    int outcome; /* enum report_result_outcome; lost: its keeper died, or its lease fuse ended it */
    int64_t exit_code; /* 0..255; 128+N for a signal N; -1 when it never ran */
    const char *reason;
    const char *image; /* what ran in the container: REPOSITORY@sha256:… or the image's id */
    json_t *outputs; /* {name: value} or {name: {artifact, size, folder, names, unlisted}}; names: of a folder that the order lists, sorted; unlisted: why there are none */
    json_t *metrics;
    json_t *log; /* {chunks, bytes, sha256, truncated} */
};
extern const struct shape shape_report_result;

enum report_kind {
    REPORT_KIND_NONE,
    REPORT_KIND_HELLO,
    REPORT_KIND_HEARTBEAT,
    REPORT_KIND_STARTED,
    REPORT_KIND_PROGRESS,
    REPORT_KIND_FINISHED,
    REPORT_KIND_ASK,
};
const char *report_kind_name(int value); /* "" for REPORT_KIND_NONE */

/* leat.reports, worker to scheduler, keyed by worker, numbered per worker */
struct report {
    struct message_hold hold;
    int64_t v;
    int kind; /* enum report_kind */
    const char *worker;
    struct uuid incarnation;
    int64_t n; /* 1, 2, … over all lives of the worker, kept in its journal */
    int64_t heartbeat; /* heartbeat: number that the grant names */
    int64_t orders; /* heartbeat: next order offset that it will read, on the bus that this is said on; 0 = not known yet */
    struct uuid attempt; /* started, progress, finished; ask: leave to start it (at_most_once) */
    int64_t nonce; /* as in the order */
    const char *at; /* started, finished: wall clock of the worker, for people only */
    double progress;
    const char *note; /* progress, before started: for people, what is being done; replaces the last, empty takes it away */
    struct report_hello *hello;
    struct report_result *result; /* finished */
};
extern const struct shape shape_report;
int report_decode(const char *data, size_t len, struct report *out, struct err *err);
char *report_encode(const struct report *message, size_t *len); /* malloc'd */
void report_clear(struct report *message);
