/* Made by schema/gen.py from schema/messages; do not edit. */

#include "schema/gen/messages.h"

static const struct field change_run_fields[] = {
    {.name = "run", .kind = FIELD_UUID, .offset = offsetof(struct change_run, run), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "state", .kind = FIELD_STRING, .offset = offsetof(struct change_run, state), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "reason", .kind = FIELD_STRING, .offset = offsetof(struct change_run, reason), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_change_run = {"change_run", sizeof(struct change_run), change_run_fields, 3};

static const struct field change_step_fields[] = {
    {.name = "run", .kind = FIELD_UUID, .offset = offsetof(struct change_step, run), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "step", .kind = FIELD_INTEGER, .offset = offsetof(struct change_step, step), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "iteration", .kind = FIELD_INTEGER, .offset = offsetof(struct change_step, iteration), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "state", .kind = FIELD_STRING, .offset = offsetof(struct change_step, state), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "attempt", .kind = FIELD_INTEGER, .offset = offsetof(struct change_step, attempt), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "attempt_id", .kind = FIELD_UUID, .offset = offsetof(struct change_step, attempt_id), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "reason", .kind = FIELD_STRING, .offset = offsetof(struct change_step, reason), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_change_step = {"change_step", sizeof(struct change_step), change_step_fields, 7};

static const struct field change_command_fields[] = {
    {.name = "id", .kind = FIELD_UUID, .offset = offsetof(struct change_command, id), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "status", .kind = FIELD_STRING, .offset = offsetof(struct change_command, status), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "detail", .kind = FIELD_STRING, .offset = offsetof(struct change_command, detail), .required = true, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_change_command = {"change_command", sizeof(struct change_command), change_command_fields, 3};

static const struct field change_fields[] = {
    {.name = "v", .kind = FIELD_INTEGER, .offset = offsetof(struct change, v), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "epoch", .kind = FIELD_INTEGER, .offset = offsetof(struct change, epoch), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "tx_seq", .kind = FIELD_INTEGER, .offset = offsetof(struct change, tx_seq), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "partial", .kind = FIELD_BOOLEAN, .offset = offsetof(struct change, partial), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "runs", .kind = FIELD_ARRAY, .offset = offsetof(struct change, runs), .items = FIELD_OBJECT, .count_offset = offsetof(struct change, runs_count), .shape = &shape_change_run, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "steps", .kind = FIELD_ARRAY, .offset = offsetof(struct change, steps), .items = FIELD_OBJECT, .count_offset = offsetof(struct change, steps_count), .shape = &shape_change_step, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "commands", .kind = FIELD_ARRAY, .offset = offsetof(struct change, commands), .items = FIELD_OBJECT, .count_offset = offsetof(struct change, commands_count), .shape = &shape_change_command, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "events", .kind = FIELD_ARRAY, .offset = offsetof(struct change, events), .items = FIELD_UUID, .count_offset = offsetof(struct change, events_count), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_change = {"change", sizeof(struct change), change_fields, 8};

int change_decode(const char *data, size_t len, struct change *out, struct err *err)
{
    return message_decode(&shape_change, data, len, out, err);
}

char *change_encode(const struct change *message, size_t *len)
{
    return message_encode(&shape_change, message, len);
}

void change_clear(struct change *message)
{
    message_clear(message);
}

static const char *const command_kind_words[] = {"", "run", "cancel", "retry", "drain", "resume", "remove", "approve", "rerun", "only", NULL};

const char *command_kind_name(int value)
{
    return command_kind_words[value];
}

static const char *const command_answer_words[] = {"", "approved", "rejected", NULL};

const char *command_answer_name(int value)
{
    return command_answer_words[value];
}

static const struct field command_fields[] = {
    {.name = "v", .kind = FIELD_INTEGER, .offset = offsetof(struct command, v), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "id", .kind = FIELD_UUID, .offset = offsetof(struct command, id), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "kind", .kind = FIELD_ENUM, .offset = offsetof(struct command, kind), .required = true, .names = command_kind_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "run", .kind = FIELD_UUID, .offset = offsetof(struct command, run), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "at", .kind = FIELD_STRING, .offset = offsetof(struct command, at), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "pipeline", .kind = FIELD_STRING, .offset = offsetof(struct command, pipeline), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "version", .kind = FIELD_STRING, .offset = offsetof(struct command, version), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "params", .kind = FIELD_JSON, .offset = offsetof(struct command, params), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "name", .kind = FIELD_STRING, .offset = offsetof(struct command, name), .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
    {.name = "experiment", .kind = FIELD_STRING, .offset = offsetof(struct command, experiment), .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
    {.name = "no_cache", .kind = FIELD_BOOLEAN, .offset = offsetof(struct command, no_cache), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "of", .kind = FIELD_UUID, .offset = offsetof(struct command, of), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "from", .kind = FIELD_STRING, .offset = offsetof(struct command, from), .least = INT64_MIN, .most = INT64_MAX, .longest = 1100},
    {.name = "step", .kind = FIELD_STRING, .offset = offsetof(struct command, step), .least = INT64_MIN, .most = INT64_MAX, .longest = 1100},
    {.name = "iteration", .kind = FIELD_INTEGER, .offset = offsetof(struct command, iteration), .least = 0, .most = INT64_MAX},
    {.name = "answer", .kind = FIELD_ENUM, .offset = offsetof(struct command, answer), .names = command_answer_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "comment", .kind = FIELD_STRING, .offset = offsetof(struct command, comment), .least = INT64_MIN, .most = INT64_MAX, .longest = 4096},
    {.name = "steps", .kind = FIELD_STRING, .offset = offsetof(struct command, steps), .least = INT64_MIN, .most = INT64_MAX, .longest = 8192},
    {.name = "anyway", .kind = FIELD_BOOLEAN, .offset = offsetof(struct command, anyway), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "worker", .kind = FIELD_STRING, .offset = offsetof(struct command, worker), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "by", .kind = FIELD_STRING, .offset = offsetof(struct command, by), .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
};

const struct shape shape_command = {"command", sizeof(struct command), command_fields, 21};

int command_decode(const char *data, size_t len, struct command *out, struct err *err)
{
    return message_decode(&shape_command, data, len, out, err);
}

char *command_encode(const struct command *message, size_t *len)
{
    return message_encode(&shape_command, message, len);
}

void command_clear(struct command *message)
{
    message_clear(message);
}

static const struct field event_fields[] = {
    {.name = "specversion", .kind = FIELD_STRING, .offset = offsetof(struct event, specversion), .required = true, .fixed = "1.0", .least = INT64_MIN, .most = INT64_MAX},
    {.name = "id", .kind = FIELD_UUID, .offset = offsetof(struct event, id), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "source", .kind = FIELD_STRING, .offset = offsetof(struct event, source), .required = true, .least = INT64_MIN, .most = INT64_MAX, .longest = 1024},
    {.name = "type", .kind = FIELD_STRING, .offset = offsetof(struct event, type), .required = true, .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
    {.name = "subject", .kind = FIELD_STRING, .offset = offsetof(struct event, subject), .least = INT64_MIN, .most = INT64_MAX, .longest = 2048},
    {.name = "time", .kind = FIELD_STRING, .offset = offsetof(struct event, time), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "datacontenttype", .kind = FIELD_STRING, .offset = offsetof(struct event, datacontenttype), .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
    {.name = "leatsource", .kind = FIELD_STRING, .offset = offsetof(struct event, leatsource), .required = true, .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "leatpipeline", .kind = FIELD_STRING, .offset = offsetof(struct event, leatpipeline), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "leattrigger", .kind = FIELD_STRING, .offset = offsetof(struct event, leattrigger), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "vars", .kind = FIELD_JSON, .offset = offsetof(struct event, vars), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "data", .kind = FIELD_JSON, .offset = offsetof(struct event, data), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "dataref", .kind = FIELD_STRING, .offset = offsetof(struct event, dataref), .least = INT64_MIN, .most = INT64_MAX, .longest = 256},
};

const struct shape shape_event = {"event", sizeof(struct event), event_fields, 13};

int event_decode(const char *data, size_t len, struct event *out, struct err *err)
{
    return message_decode(&shape_event, data, len, out, err);
}

char *event_encode(const struct event *message, size_t *len)
{
    return message_encode(&shape_event, message, len);
}

void event_clear(struct event *message)
{
    message_clear(message);
}

static const struct field order_env_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .offset = offsetof(struct order_env, name), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "value", .kind = FIELD_STRING, .offset = offsetof(struct order_env, value), .required = true, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_env = {"order_env", sizeof(struct order_env), order_env_fields, 2};

static const struct field order_list_fields[] = {
    {.name = "step", .kind = FIELD_INTEGER, .offset = offsetof(struct order_list, step), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "iteration", .kind = FIELD_INTEGER, .offset = offsetof(struct order_list, iteration), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "output", .kind = FIELD_STRING, .offset = offsetof(struct order_list, output), .required = true, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_list = {"order_list", sizeof(struct order_list), order_list_fields, 3};

static const struct field order_input_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .offset = offsetof(struct order_input, name), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "artifact", .kind = FIELD_STRING, .offset = offsetof(struct order_input, artifact), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "folder", .kind = FIELD_BOOLEAN, .offset = offsetof(struct order_input, folder), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "objects", .kind = FIELD_BOOLEAN, .offset = offsetof(struct order_input, objects), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "list", .kind = FIELD_JSON, .offset = offsetof(struct order_input, list), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "of", .kind = FIELD_OBJECT, .offset = offsetof(struct order_input, of), .shape = &shape_order_list, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "value", .kind = FIELD_JSON, .offset = offsetof(struct order_input, value), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_input = {"order_input", sizeof(struct order_input), order_input_fields, 7};

static const char *const order_output_type_words[] = {"", "artifact", "string", "integer", "number", "boolean", "json", NULL};

const char *order_output_type_name(int value)
{
    return order_output_type_words[value];
}

static const struct field order_output_fields[] = {
    {.name = "name", .kind = FIELD_STRING, .offset = offsetof(struct order_output, name), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "type", .kind = FIELD_ENUM, .offset = offsetof(struct order_output, type), .required = true, .names = order_output_type_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "optional", .kind = FIELD_BOOLEAN, .offset = offsetof(struct order_output, optional), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "path", .kind = FIELD_STRING, .offset = offsetof(struct order_output, path), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_output = {"order_output", sizeof(struct order_output), order_output_fields, 4};

static const char *const order_container_pull_words[] = {"", "if-missing", "always", "never", NULL};

const char *order_container_pull_name(int value)
{
    return order_container_pull_words[value];
}

static const struct field order_container_fields[] = {
    {.name = "pull", .kind = FIELD_ENUM, .offset = offsetof(struct order_container, pull), .names = order_container_pull_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "network", .kind = FIELD_STRING, .offset = offsetof(struct order_container, network), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "cpu", .kind = FIELD_NUMBER, .offset = offsetof(struct order_container, cpu), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "memory", .kind = FIELD_INTEGER, .offset = offsetof(struct order_container, memory), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "gpu", .kind = FIELD_INTEGER, .offset = offsetof(struct order_container, gpu), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "shm", .kind = FIELD_INTEGER, .offset = offsetof(struct order_container, shm), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "pids", .kind = FIELD_INTEGER, .offset = offsetof(struct order_container, pids), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "read_only", .kind = FIELD_BOOLEAN, .offset = offsetof(struct order_container, read_only), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "registry_secret", .kind = FIELD_STRING, .offset = offsetof(struct order_container, registry_secret), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_container = {"order_container", sizeof(struct order_container), order_container_fields, 9};

static const char *const order_start_executor_words[] = {"", "process", "noop", "objects", "docker", NULL};

const char *order_start_executor_name(int value)
{
    return order_start_executor_words[value];
}

static const struct field order_start_fields[] = {
    {.name = "run", .kind = FIELD_UUID, .offset = offsetof(struct order_start, run), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "run_name", .kind = FIELD_STRING, .offset = offsetof(struct order_start, run_name), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "pipeline", .kind = FIELD_STRING, .offset = offsetof(struct order_start, pipeline), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "experiment", .kind = FIELD_STRING, .offset = offsetof(struct order_start, experiment), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "step", .kind = FIELD_STRING, .offset = offsetof(struct order_start, step), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "iteration", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, iteration), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "number", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, number), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "executor", .kind = FIELD_ENUM, .offset = offsetof(struct order_start, executor), .required = true, .names = order_start_executor_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "image", .kind = FIELD_STRING, .offset = offsetof(struct order_start, image), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "argv", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, argv), .required = true, .items = FIELD_STRING, .count_offset = offsetof(struct order_start, argv_count), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "command", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, command), .least = 0, .most = INT64_MAX},
    {.name = "workdir", .kind = FIELD_STRING, .offset = offsetof(struct order_start, workdir), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "env", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, env), .items = FIELD_OBJECT, .count_offset = offsetof(struct order_start, env_count), .shape = &shape_order_env, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "inputs", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, inputs), .items = FIELD_OBJECT, .count_offset = offsetof(struct order_start, inputs_count), .shape = &shape_order_input, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "outputs", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, outputs), .items = FIELD_OBJECT, .count_offset = offsetof(struct order_start, outputs_count), .shape = &shape_order_output, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "listed", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, listed), .items = FIELD_STRING, .count_offset = offsetof(struct order_start, listed_count), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "bucket", .kind = FIELD_STRING, .offset = offsetof(struct order_start, bucket), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "prefix", .kind = FIELD_STRING, .offset = offsetof(struct order_start, prefix), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "suffix", .kind = FIELD_STRING, .offset = offsetof(struct order_start, suffix), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "key", .kind = FIELD_STRING, .offset = offsetof(struct order_start, key), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "version", .kind = FIELD_STRING, .offset = offsetof(struct order_start, version), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "container", .kind = FIELD_OBJECT, .offset = offsetof(struct order_start, container), .shape = &shape_order_container, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "secrets", .kind = FIELD_ARRAY, .offset = offsetof(struct order_start, secrets), .items = FIELD_STRING, .count_offset = offsetof(struct order_start, secrets_count), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "event", .kind = FIELD_JSON, .offset = offsetof(struct order_start, event), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "at_most_once", .kind = FIELD_BOOLEAN, .offset = offsetof(struct order_start, at_most_once), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "timeout_us", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, timeout_us), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "lost_after_us", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, lost_after_us), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "heartbeat_us", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, heartbeat_us), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "log_limit", .kind = FIELD_INTEGER, .offset = offsetof(struct order_start, log_limit), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order_start = {"order_start", sizeof(struct order_start), order_start_fields, 29};

static const char *const order_kind_words[] = {"", "start", "cancel", "revoke", "grant", NULL};

const char *order_kind_name(int value)
{
    return order_kind_words[value];
}

static const struct field order_fields[] = {
    {.name = "v", .kind = FIELD_INTEGER, .offset = offsetof(struct order, v), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "kind", .kind = FIELD_ENUM, .offset = offsetof(struct order, kind), .required = true, .names = order_kind_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "epoch", .kind = FIELD_INTEGER, .offset = offsetof(struct order, epoch), .required = true, .least = 0, .most = INT64_MAX},
    {.name = "attempt", .kind = FIELD_UUID, .offset = offsetof(struct order, attempt), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "nonce", .kind = FIELD_INTEGER, .offset = offsetof(struct order, nonce), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "incarnation", .kind = FIELD_UUID, .offset = offsetof(struct order, incarnation), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "heartbeat", .kind = FIELD_INTEGER, .offset = offsetof(struct order, heartbeat), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "committed", .kind = FIELD_INTEGER, .offset = offsetof(struct order, committed), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "grace_us", .kind = FIELD_INTEGER, .offset = offsetof(struct order, grace_us), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "reason", .kind = FIELD_STRING, .offset = offsetof(struct order, reason), .least = INT64_MIN, .most = INT64_MAX, .longest = 1024},
    {.name = "start", .kind = FIELD_OBJECT, .offset = offsetof(struct order, start), .shape = &shape_order_start, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_order = {"order", sizeof(struct order), order_fields, 11};

int order_decode(const char *data, size_t len, struct order *out, struct err *err)
{
    return message_decode(&shape_order, data, len, out, err);
}

char *order_encode(const struct order *message, size_t *len)
{
    return message_encode(&shape_order, message, len);
}

void order_clear(struct order *message)
{
    message_clear(message);
}

static const struct field held_attempt_fields[] = {
    {.name = "attempt", .kind = FIELD_UUID, .offset = offsetof(struct held_attempt, attempt), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "nonce", .kind = FIELD_INTEGER, .offset = offsetof(struct held_attempt, nonce), .required = true, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_held_attempt = {"held_attempt", sizeof(struct held_attempt), held_attempt_fields, 2};

static const struct field report_hello_fields[] = {
    {.name = "boot", .kind = FIELD_STRING, .offset = offsetof(struct report_hello, boot), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "slots", .kind = FIELD_INTEGER, .offset = offsetof(struct report_hello, slots), .required = true, .least = 1, .most = 100000},
    {.name = "pool", .kind = FIELD_STRING, .offset = offsetof(struct report_hello, pool), .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "cpu", .kind = FIELD_NUMBER, .offset = offsetof(struct report_hello, cpu), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "memory", .kind = FIELD_INTEGER, .offset = offsetof(struct report_hello, memory), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "gpu", .kind = FIELD_INTEGER, .offset = offsetof(struct report_hello, gpu), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "labels", .kind = FIELD_JSON, .offset = offsetof(struct report_hello, labels), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "executors", .kind = FIELD_ARRAY, .offset = offsetof(struct report_hello, executors), .required = true, .items = FIELD_STRING, .count_offset = offsetof(struct report_hello, executors_count), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "abilities", .kind = FIELD_ARRAY, .offset = offsetof(struct report_hello, abilities), .items = FIELD_STRING, .count_offset = offsetof(struct report_hello, abilities_count), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "runtime", .kind = FIELD_STRING, .offset = offsetof(struct report_hello, runtime), .least = INT64_MIN, .most = INT64_MAX, .longest = 300},
    {.name = "workspace", .kind = FIELD_STRING, .offset = offsetof(struct report_hello, workspace), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "held", .kind = FIELD_ARRAY, .offset = offsetof(struct report_hello, held), .items = FIELD_OBJECT, .count_offset = offsetof(struct report_hello, held_count), .shape = &shape_held_attempt, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "orders", .kind = FIELD_INTEGER, .offset = offsetof(struct report_hello, orders), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "epoch", .kind = FIELD_INTEGER, .offset = offsetof(struct report_hello, epoch), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "version", .kind = FIELD_STRING, .offset = offsetof(struct report_hello, version), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_report_hello = {"report_hello", sizeof(struct report_hello), report_hello_fields, 15};

static const char *const report_result_outcome_words[] = {"", "succeeded", "failed", "timed_out", "cancelled", "revoked", "refused", "lost", NULL};

const char *report_result_outcome_name(int value)
{
    return report_result_outcome_words[value];
}

static const struct field report_result_fields[] = {
    {.name = "outcome", .kind = FIELD_ENUM, .offset = offsetof(struct report_result, outcome), .required = true, .names = report_result_outcome_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "exit_code", .kind = FIELD_INTEGER, .offset = offsetof(struct report_result, exit_code), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "reason", .kind = FIELD_STRING, .offset = offsetof(struct report_result, reason), .least = INT64_MIN, .most = INT64_MAX, .longest = 4096},
    {.name = "image", .kind = FIELD_STRING, .offset = offsetof(struct report_result, image), .least = INT64_MIN, .most = INT64_MAX, .longest = 1024},
    {.name = "outputs", .kind = FIELD_JSON, .offset = offsetof(struct report_result, outputs), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "metrics", .kind = FIELD_JSON, .offset = offsetof(struct report_result, metrics), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "log", .kind = FIELD_JSON, .offset = offsetof(struct report_result, log), .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_report_result = {"report_result", sizeof(struct report_result), report_result_fields, 7};

static const char *const report_kind_words[] = {"", "hello", "heartbeat", "started", "progress", "finished", "ask", NULL};

const char *report_kind_name(int value)
{
    return report_kind_words[value];
}

static const struct field report_fields[] = {
    {.name = "v", .kind = FIELD_INTEGER, .offset = offsetof(struct report, v), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "kind", .kind = FIELD_ENUM, .offset = offsetof(struct report, kind), .required = true, .names = report_kind_words, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "worker", .kind = FIELD_STRING, .offset = offsetof(struct report, worker), .required = true, .least = INT64_MIN, .most = INT64_MAX, .longest = 64},
    {.name = "incarnation", .kind = FIELD_UUID, .offset = offsetof(struct report, incarnation), .required = true, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "n", .kind = FIELD_INTEGER, .offset = offsetof(struct report, n), .required = true, .least = 1, .most = INT64_MAX},
    {.name = "heartbeat", .kind = FIELD_INTEGER, .offset = offsetof(struct report, heartbeat), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "orders", .kind = FIELD_INTEGER, .offset = offsetof(struct report, orders), .least = 0, .most = INT64_MAX},
    {.name = "attempt", .kind = FIELD_UUID, .offset = offsetof(struct report, attempt), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "nonce", .kind = FIELD_INTEGER, .offset = offsetof(struct report, nonce), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "at", .kind = FIELD_STRING, .offset = offsetof(struct report, at), .least = INT64_MIN, .most = INT64_MAX},
    {.name = "progress", .kind = FIELD_NUMBER, .offset = offsetof(struct report, progress), .least = 0, .most = 1},
    {.name = "note", .kind = FIELD_STRING, .offset = offsetof(struct report, note), .least = INT64_MIN, .most = INT64_MAX, .longest = 500},
    {.name = "hello", .kind = FIELD_OBJECT, .offset = offsetof(struct report, hello), .shape = &shape_report_hello, .least = INT64_MIN, .most = INT64_MAX},
    {.name = "result", .kind = FIELD_OBJECT, .offset = offsetof(struct report, result), .shape = &shape_report_result, .least = INT64_MIN, .most = INT64_MAX},
};

const struct shape shape_report = {"report", sizeof(struct report), report_fields, 14};

int report_decode(const char *data, size_t len, struct report *out, struct err *err)
{
    return message_decode(&shape_report, data, len, out, err);
}

char *report_encode(const struct report *message, size_t *len)
{
    return message_encode(&shape_report, message, len);
}

void report_clear(struct report *message)
{
    message_clear(message);
}
