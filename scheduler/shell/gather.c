/* What one batch takes in: records, decoded, asked after in the inbox, fed to the core. */
#include "scheduler/shell/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/plant.h"

/* Events that are held are taken again no more at a time than there is room for runs. */
void gather_records(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    size_t bytes = 0;
    int64_t room = core_room(shell->core);
    while (turn->inputs.count < BATCH_RECORDS && bytes < BATCH_BYTES) {
        struct intake_record *record = intake_take(&shell->intake, room > 0);
        struct err err = {0};
        if (!record)
            break;
        bytes += record->len;
        room -= record->kind == INTAKE_EVENTS;
        shell->stats.records += !record->again;
        if (inputs_add(&turn->inputs, record, &err) == 0)
            continue;
        shell->stats.records_bad++;
        log_error("record passed over: it cannot be read",
                  LOG_S("topic", intake_topic(record->kind)), LOG_I("partition", record->partition),
                  LOG_I("offset", record->offset), LOG_ERR(&err));
    }
    readers_resume(shell);
}

/* What to do about it is for a person: once a minute is enough. */
static void tell_refused(struct shell *shell, const char *worker)
{
    const int64_t now = shell_mono(shell);
    if (shell->refused_told_us && now - shell->refused_told_us < 60 * US_PER_S)
        return;
    shell->refused_told_us = now;
    log_error("hello of a new worker is refused: there are too many worker ids; raise "
              "most-workers, or lower worker-age, after which one that is gone is forgotten",
              LOG_S("worker", worker), LOG_I("most", shell->config.most_workers));
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

const char **gather_new_workers(struct shell *shell, size_t *count)
{
    const struct inputs *in = &shell->turn.inputs;
    const char **workers = NULL;
    size_t cap = 0;
    *count = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct input *input = &in->items[i];
        if (input->record->kind != INTAKE_REPORTS || input->bad)
            continue;
        if (input->report.kind != REPORT_KIND_HELLO ||
            topics_has(&shell->topics, input->report.worker) ||
            is_among(workers, *count, input->report.worker))
            continue;
        if (!core_takes_worker(shell->core, input->report.worker, (int64_t)*count)) {
            tell_refused(shell, input->report.worker);
            continue;
        }
        MEM_ROOM(workers, *count, cap);
        workers[(*count)++] = input->report.worker;
    }
    return workers;
}

/* ---- the inbox ------------------------------------------------------------------------------ */

static void want_id(struct turn *turn, const struct uuid *id)
{
    MEM_ROOM(turn->ids, turn->id_count, turn->id_cap);
    turn->ids[turn->id_count++] = *id;
}

static void want_run(struct turn *turn, const struct uuid *run)
{
    MEM_ROOM(turn->runs, turn->run_count, turn->run_cap);
    turn->runs[turn->run_count++] = *run;
}

static void want_version(struct turn *turn, const struct command *command)
{
    const bool names_one = command->kind == COMMAND_KIND_RUN || command->kind == COMMAND_KIND_ONLY;
    if (!names_one || !command->version || !command->pipeline)
        return;
    MEM_ROOM(turn->versions, turn->version_count, turn->version_cap);
    turn->versions[turn->version_count++] =
        (struct db_wanted_version){command->pipeline, command->version};
}

static bool repeats_run(const struct command *command)
{
    return command->kind == COMMAND_KIND_RETRY || command->kind == COMMAND_KIND_RERUN ||
           command->kind == COMMAND_KIND_ONLY;
}

static bool makes_run(const struct command *command)
{
    return command->kind == COMMAND_KIND_RUN || repeats_run(command);
}

/* The catalog is read with every event and command, so that what was published after an apply had
 * returned meets what was applied. */
static int64_t read_since(const struct shell *shell)
{
    const int64_t known = core_catalog_gen(shell->core);
    return plant_on(PLANT_CATALOG_BY_BEATS_ALONE) && shell->catalog_gen <= known ? INT64_MAX
                                                                                 : known;
}

bool gather_wanted(struct shell *shell, struct db_wanted *wanted)
{
    struct turn *turn = &shell->turn;
    turn->id_count = turn->run_count = turn->version_count = 0;
    for (size_t i = 0; i < turn->inputs.count; i++) {
        const struct input *input = &turn->inputs.items[i];
        if (input->bad || input->record->kind == INTAKE_REPORTS)
            continue;
        if (input->record->kind == INTAKE_EVENTS) {
            want_id(turn, &input->event.id);
            continue;
        }
        want_id(turn, &input->command.id);
        if (makes_run(&input->command))
            want_id(turn, &input->command.run);
        want_version(turn, &input->command);
        if (repeats_run(&input->command))
            want_run(turn, &input->command.of);
        if (input->command.kind == COMMAND_KIND_CANCEL ||
            input->command.kind == COMMAND_KIND_APPROVE)
            want_run(turn, &input->command.run); /* it may have finished long ago */
    }
    turn->cached_count = core_wants_cached(shell->core, turn->cached, ARRAY_LEN(turn->cached));
    *wanted = (struct db_wanted){.ids = turn->ids,
                                 .id_count = turn->id_count,
                                 .runs = turn->runs,
                                 .run_count = turn->run_count,
                                 .versions = turn->versions,
                                 .version_count = turn->version_count,
                                 .cached = turn->cached,
                                 .cached_count = turn->cached_count,
                                 .catalog_gen = read_since(shell)};
    return turn->id_count > 0 || turn->cached_count > 0 || shell->catalog_gen > wanted->catalog_gen;
}

/* In the order in which gather_wanted asked. */
void gather_found(struct shell *shell, const struct db_found *found)
{
    struct turn *turn = &shell->turn;
    size_t at = 0;
    for (size_t i = 0; i < turn->inputs.count; i++) {
        struct input *input = &turn->inputs.items[i];
        if (input->bad || input->record->kind == INTAKE_REPORTS)
            continue;
        input->seen = found->seen[at++];
        if (input->record->kind == INTAKE_COMMANDS && makes_run(&input->command)) {
            input->run_seen = found->seen[at];
            input->tombstoned = found->tombstoned[at++];
        }
    }
}

/* ---- the core ------------------------------------------------------------------------------- */

static void add_inbox(struct turn *turn, const struct uuid *id, const struct core_now *now)
{
    struct batch_inbox *row = batch_add_inbox(turn->batch);
    row->id = *id;
    row->received_us = now->wall_us;
    idset_add(&turn->done, id);
}

static bool tombstoned_here(const struct batch *batch, const struct uuid *run)
{
    for (size_t i = 0; i < batch->tombstones_count; i++)
        if (uuid_compare(&batch->tombstones[i].run, run) == 0)
            return true;
    return false;
}

/* The run exists: whoever asks again, with the same idempotency key, gets the same answer. */
static void answer_again(struct batch *batch, const struct command *command,
                         const struct core_now *now)
{
    char run[UUID_TEXT];
    uuid_format(&command->run, run);
    struct batch_command *row = batch_add_commands(batch);
    row->id = command->id;
    row->kind = batch_text(batch, command_kind_name(command->kind));
    row->accepted = true;
    row->detail = batch_text(batch, run);
    row->at_us = now->wall_us;
}

static void apply_command(struct shell *shell, const struct input *input,
                          const struct core_now *now)
{
    struct turn *turn = &shell->turn;
    struct batch *batch = turn->batch;
    const struct command *command = &input->command;
    bool makes = makes_run(command);
    if (makes && (input->run_seen || idset_has(&turn->done, &command->run))) {
        answer_again(batch, command, now);
    } else {
        size_t before = batch->runs_count;
        bool tombstoned = input->tombstoned || tombstoned_here(batch, &command->run);
        core_command(shell->core, command, makes && tombstoned, now, batch);
        if (makes && batch->runs_count > before)
            add_inbox(turn, &command->run, now);
    }
    add_inbox(turn, &command->id, now);
}

/* There is no room for what it would make: it comes again, later. */
static void hold_event(struct shell *shell, struct input *input)
{
    struct turn *turn = &shell->turn;
    MEM_ROOM(turn->held, turn->held_count, turn->held_cap);
    struct intake_record *record = turn->held[turn->held_count++] = input_release(input);
    shell->stats.held_total += !record->again;
}

static void apply_event(struct shell *shell, struct input *input, const struct core_now *now)
{
    if (core_event(shell->core, &input->event, input->record->value, now, shell->turn.batch))
        add_inbox(&shell->turn, &input->event.id, now);
    else
        hold_event(shell, input);
}

static void apply(struct shell *shell, struct input *input, const struct core_now *now)
{
    if (input->bad)
        return;
    if (input->record->kind == INTAKE_REPORTS) {
        core_report(shell->core, &input->report, now, shell->turn.batch);
        return;
    }
    bool is_event = input->record->kind == INTAKE_EVENTS;
    const struct uuid *id = is_event ? &input->event.id : &input->command.id;
    if (input->seen || idset_has(&shell->turn.done, id)) {
        shell->stats.records_repeated++;
        return;
    }
    if (is_event)
        apply_event(shell, input, now);
    else
        apply_command(shell, input, now);
}

static void add_offsets(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        size_t count;
        const struct intake_mark *marks =
            intake_marks(&shell->intake, (enum intake_kind)kind, &count);
        for (size_t i = 0; i < count; i++) {
            if (marks[i].next == marks[i].committed)
                continue;
            struct bus_position *row = batch_add_offsets(shell->turn.batch);
            snprintf(row->topic, sizeof row->topic, "%s", intake_topic((enum intake_kind)kind));
            row->partition = marks[i].partition;
            row->offset = marks[i].next;
        }
    }
}

void gather_apply(struct shell *shell, const struct core_now *now)
{
    struct turn *turn = &shell->turn;
    idset_clear(&turn->done);
    turn->held_count = 0;
    for (size_t i = 0; i < turn->inputs.count; i++)
        apply(shell, &turn->inputs.items[i], now);
    intake_hold(&shell->intake, turn->held, turn->held_count);
    intake_settle(&shell->intake);
    core_turn(shell->core, now, turn->batch);
    add_offsets(shell);
}
