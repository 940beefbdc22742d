#include "scheduler/shell/input.h"

#include <string.h>
#include "common/base/clock.h"
#include "common/base/mem.h"

#define WORKER_ID_MAX 64

bool input_worker_ok(const char *worker)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = worker ? strlen(worker) : 0;
    return len > 0 && len <= WORKER_ID_MAX && strspn(worker, allowed) == len;
}

static int check_report(const struct report *report, struct err *err)
{
    if (!input_worker_ok(report->worker))
        return err_set(err, LEAT_EINPUT, "/worker: not a worker's id");
    if (uuid_is_nil(&report->incarnation))
        return err_set(err, LEAT_EINPUT, "/incarnation: nil");
    bool of_attempt = report->kind != REPORT_KIND_HELLO && report->kind != REPORT_KIND_HEARTBEAT;
    if (of_attempt && uuid_is_nil(&report->attempt))
        return err_set(err, LEAT_EINPUT, "/attempt: missing in a %s report",
                       report_kind_name(report->kind));
    if (report->kind == REPORT_KIND_HELLO && !report->hello)
        return err_set(err, LEAT_EINPUT, "/hello: missing");
    if (report->kind == REPORT_KIND_FINISHED && !report->result)
        return err_set(err, LEAT_EINPUT, "/result: missing");
    return 0;
}

static int check_event(const struct event *event, struct err *err)
{
    int64_t at;
    if (uuid_is_nil(&event->id))
        return err_set(err, LEAT_EINPUT, "/id: nil");
    if (clock_parse(event->time, &at) < 0)
        return err_set(err, LEAT_EINPUT, "/time: not an RFC 3339 instant");
    return 0;
}

static int check_command(const struct command *command, struct err *err)
{
    if (uuid_is_nil(&command->id) || uuid_is_nil(&command->run))
        return err_set(err, LEAT_EINPUT, "/id, /run: nil");
    return 0;
}

static int decode(struct input *input, struct err *err)
{
    const struct intake_record *record = input->record;
    switch (record->kind) {
    case INTAKE_COMMANDS:
        if (command_decode(record->value, record->len, &input->command, err) < 0)
            return -1;
        return check_command(&input->command, err);
    case INTAKE_REPORTS:
        if (report_decode(record->value, record->len, &input->report, err) < 0)
            return -1;
        return check_report(&input->report, err);
    case INTAKE_EVENTS:
        if (event_decode(record->value, record->len, &input->event, err) < 0)
            return -1;
        return check_event(&input->event, err);
    case INTAKE_KINDS:
        break;
    }
    return err_set(err, LEAT_EINTERNAL, "no such kind of record");
}

static void clear(struct input *input, enum intake_kind kind)
{
    switch (kind) {
    case INTAKE_COMMANDS:
        command_clear(&input->command);
        break;
    case INTAKE_REPORTS:
        report_clear(&input->report);
        break;
    case INTAKE_EVENTS:
        event_clear(&input->event);
        break;
    case INTAKE_KINDS:
        break;
    }
}

int inputs_add(struct inputs *in, struct intake_record *record, struct err *err)
{
    MEM_ROOM(in->items, in->count, in->cap);
    struct input *input = &in->items[in->count++];
    *input = (struct input){.record = record};
    if (decode(input, err) == 0)
        return 0;
    input->bad = true;
    return LEAT_EINPUT;
}

struct intake_record *input_release(struct input *input)
{
    struct intake_record *record = TAKE(input->record);
    clear(input, record->kind);
    input->bad = true;
    return record;
}

void inputs_clear(struct inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        struct intake_record *record = in->items[i].record;
        if (!record)
            continue;
        clear(&in->items[i], record->kind);
        free(record);
    }
    in->count = 0;
}

void inputs_free(struct inputs *in)
{
    inputs_clear(in);
    free(in->items);
    *in = (struct inputs){0};
}
