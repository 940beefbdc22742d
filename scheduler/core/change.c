#include "scheduler/core/change.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/text/utf8.h"
#include "schema/gen/messages.h"

/* Bytes that one entry takes at most, names of states included, without its reason. */
#define RUN_BYTES   110
#define STEP_BYTES  216
#define EVENT_BYTES 40
#define COMMAND_BYTES                                                                              \
    120 /* and its detail, of at most 512 characters, escaped at most six-fold                     \
         */
#define DETAIL_BYTES (512 * 6)

static bool nothing_changed(const struct batch *b)
{
    return !b->events_count && !b->runs_count && !b->run_moves_count && !b->steps_count &&
           !b->results_count && !b->workers_count && !b->commands_count;
}

/* Room for `wanted` entries of `bytes` in what is left; the rest is left out. */
static size_t take_room(struct change *c, size_t wanted, size_t bytes, size_t *left)
{
    size_t fits = *left / bytes;
    if (fits < wanted)
        c->partial = true;
    size_t taken = fits < wanted ? fits : wanted;
    *left -= taken * bytes;
    return taken;
}

static const char *command_status(const struct batch_command *c)
{
    return c->accepted ? "accepted" : c->busy ? "busy" : "refused";
}

static void add_commands(struct change *c, const struct batch *b, size_t *left)
{
    size_t n = take_room(c, b->commands_count, COMMAND_BYTES + DETAIL_BYTES, left);
    c->commands = arena_alloc(b->arena, (n + 1) * sizeof *c->commands);
    for (size_t i = 0; i < n; i++)
        c->commands[c->commands_count++] = (struct change_command){
            b->commands[i].id, command_status(&b->commands[i]), b->commands[i].detail};
}

/* What readers are shown at once; the whole of it is in the row. */
static const char *clip_reason(struct batch *b, const char *reason)
{
    if (!*reason)
        return NULL;
    return batch_printf(b, "%.*s", (int)utf8_cut(reason, CHANGE_REASON_MAX), reason);
}

/* Room for one entry of `bytes` and its reason, which escaping may make six times as long. */
static bool take_entry(struct change *c, size_t bytes, const char *reason, size_t *left)
{
    const size_t wanted = bytes + (reason ? 6 * strlen(reason) : 0);
    if (wanted > *left) {
        c->partial = true;
        return false;
    }
    *left -= wanted;
    return true;
}

static void add_run(struct change *c, struct batch *b, const struct uuid *run, int state,
                    const char *why, size_t *left)
{
    const char *reason = clip_reason(b, why);
    if (take_entry(c, RUN_BYTES, reason, left))
        c->runs[c->runs_count++] =
            (struct change_run){*run, machine_state_name(&MACHINE_RUN, state), reason};
}

/* A run that is born and moved in one batch is there twice; the later entry is where it is now. */
static void add_runs(struct change *c, struct batch *b, size_t *left)
{
    c->runs = arena_alloc(b->arena, (b->runs_count + b->run_moves_count + 1) * sizeof *c->runs);
    for (size_t i = 0; i < b->runs_count; i++)
        add_run(c, b, &b->runs[i].id, b->runs[i].state, b->runs[i].reason, left);
    for (size_t i = 0; i < b->run_moves_count; i++)
        add_run(c, b, &b->run_moves[i].id, b->run_moves[i].state, b->run_moves[i].reason, left);
}

static void add_step(struct change *c, struct batch *b, const struct change_step *step,
                     size_t *left)
{
    const char *reason = clip_reason(b, step->reason);
    if (!take_entry(c, STEP_BYTES, reason, left))
        return;
    c->steps[c->steps_count] = *step;
    c->steps[c->steps_count++].reason = reason;
}

static void add_steps(struct change *c, struct batch *b, size_t *left)
{
    c->steps = arena_alloc(b->arena, (b->results_count + b->steps_count + 1) * sizeof *c->steps);
    for (size_t i = 0; i < b->results_count; i++) {
        const struct batch_result *r = &b->results[i];
        add_step(c, b,
                 &(struct change_step){r->run, r->step, r->iteration,
                                       machine_state_name(&MACHINE_STEP, r->state), r->attempt,
                                       r->attempt_id, r->reason},
                 left);
    }
    for (size_t i = 0; i < b->steps_count; i++) {
        const struct batch_step *s = &b->steps[i];
        add_step(c, b,
                 &(struct change_step){s->run, s->step, s->iteration,
                                       machine_state_name(&MACHINE_STEP, s->state), s->attempt,
                                       s->attempt_id, s->reason},
                 left);
    }
}

static void add_events(struct change *c, const struct batch *b, size_t *left)
{
    size_t n = take_room(c, b->events_count, EVENT_BYTES, left);
    c->events = arena_alloc(b->arena, (n + 1) * sizeof *c->events);
    for (size_t i = 0; i < n; i++)
        c->events[c->events_count++] = b->events[i].id;
}

void change_append(struct batch *out)
{
    if (nothing_changed(out))
        return;
    struct change c = {.v = 1, .epoch = out->epoch, .tx_seq = out->tx_seq + 1};
    size_t left = CHANGE_MAX - 256;
    add_commands(&c, out, &left);
    add_runs(&c, out, &left);
    add_events(&c, out, &left);
    add_steps(&c, out, &left);
    size_t len;
    cleanup_free char *text = change_encode(&c, &len);
    struct batch_message *m = batch_add_messages(out);
    m->topic = TOPIC_CHANGES;
    m->value = batch_bytes(out, text, len);
    m->len = len;
}
