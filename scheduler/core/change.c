#include "scheduler/core/change.h"

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "schema/gen/messages.h"

/* Bytes that one entry takes at most, names of states included. */
#define RUN_BYTES   96
#define STEP_BYTES  144
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

static void add_commands(struct change *c, const struct batch *b, size_t *left)
{
    size_t n = take_room(c, b->commands_count, COMMAND_BYTES + DETAIL_BYTES, left);
    c->commands = arena_alloc(b->arena, (n + 1) * sizeof *c->commands);
    for (size_t i = 0; i < n; i++)
        c->commands[c->commands_count++] = (struct change_command){
            b->commands[i].id, b->commands[i].accepted ? "accepted" : "refused",
            b->commands[i].detail};
}

/* A run that is born and moved in one batch is there twice; the later entry is where it is now. */
static void add_runs(struct change *c, const struct batch *b, size_t *left)
{
    size_t births = take_room(c, b->runs_count, RUN_BYTES, left);
    size_t moves = take_room(c, b->run_moves_count, RUN_BYTES, left);
    c->runs = arena_alloc(b->arena, (births + moves + 1) * sizeof *c->runs);
    for (size_t i = 0; i < births; i++)
        c->runs[c->runs_count++] =
            (struct change_run){b->runs[i].id, machine_state_name(&MACHINE_RUN, b->runs[i].state)};
    for (size_t i = 0; i < moves; i++)
        c->runs[c->runs_count++] = (struct change_run){
            b->run_moves[i].id, machine_state_name(&MACHINE_RUN, b->run_moves[i].state)};
}

static void add_steps(struct change *c, const struct batch *b, size_t *left)
{
    size_t results = take_room(c, b->results_count, STEP_BYTES, left);
    size_t steps = take_room(c, b->steps_count, STEP_BYTES, left);
    c->steps = arena_alloc(b->arena, (results + steps + 1) * sizeof *c->steps);
    for (size_t i = 0; i < results; i++) {
        const struct batch_result *r = &b->results[i];
        c->steps[c->steps_count++] = (struct change_step){
            r->run, r->step, r->iteration, machine_state_name(&MACHINE_STEP, r->state), r->attempt};
    }
    for (size_t i = 0; i < steps; i++) {
        const struct batch_step *s = &b->steps[i];
        c->steps[c->steps_count++] = (struct change_step){
            s->run, s->step, s->iteration, machine_state_name(&MACHINE_STEP, s->state), s->attempt};
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
