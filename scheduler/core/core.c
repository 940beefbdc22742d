#include "scheduler/core/core.h"

#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/place/attempts.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/place/cache.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/change.h"
#include "scheduler/core/commands.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/events.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/dag/groups.h"
#include "scheduler/core/place/limits.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/pools.h"
#include "scheduler/core/place/queued.h"
#include "scheduler/core/restore.h"
#include "scheduler/core/worker/retire.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/state.h"
#include "scheduler/core/dag/steps.h"
#include "scheduler/core/worker/workers.h"

#define BATCH_BYTES_MAX ((size_t)8 * 1024 * 1024) /* of orders and adopted results in one batch */
#define WORK_PER_ROW    4 /* steps looked at in a turn, for each row that it may write */

#define OWNER(timer, type, member) ((type *)((char *)(timer)-offsetof(type, member)))

/* ---- randomness: SplitMix64 (Steele, Lea, Flood 2014) -------------------------------------- */

uint64_t core_random(struct core *core)
{
    uint64_t z = core->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

double core_random01(struct core *core)
{
    return (double)(core_random(core) >> 11) * 0x1.0p-53;
}

struct uuid core_uuid(struct core *core, int64_t wall_us)
{
    uint64_t rest[2] = {core_random(core), core_random(core)};
    return uuid_v7(wall_us / 1000, (const uint8_t *)rest);
}

/* ---- queues -------------------------------------------------------------------------------- */

static void queue_grow(struct step_queue *q)
{
    size_t cap = q->cap ? q->cap * 2 : 64;
    struct step_ref *items = mem_array(cap, sizeof *items);
    for (size_t i = 0; i < q->count; i++)
        items[i] = q->items[(q->head + i) & (q->cap - 1)];
    free(q->items);
    *q = (struct step_queue){items, 0, q->count, cap};
}

void queue_push(struct step_queue *q, struct step_ref at)
{
    if (q->count == q->cap)
        queue_grow(q);
    q->items[(q->head + q->count++) & (q->cap - 1)] = at;
    at.frame->pins++;
}

struct step_ref queue_pop(struct step_queue *q)
{
    struct step_ref ref = q->items[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    ref.frame->pins--;
    return ref;
}

/* ---- rows ---------------------------------------------------------------------------------- */

size_t batch_row_count(const struct batch *b)
{
    size_t n = 0;
#define A(field, type) n += b->field##_count;
    BATCH_ARRAYS(A)
#undef A
    return n;
}

const char *batch_json(struct batch *b, const json_t *value)
{
    if (!value)
        return NULL;
    cleanup_free char *text = json_write(value);
    return batch_text(b, text);
}

/* ---- the core ------------------------------------------------------------------------------ */

struct core *core_new(const struct core_config *config)
{
    struct core *core = mem_alloc(sizeof *core);
    core->config = *config;
    core->random = config->seed ^ (uint64_t)config->epoch * 0xD1342543DE82EF95u;
    core->scratch = arena_new();
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    cache_free(core);
    frames_free_all_over(core);
    runs_free_all(core);
    catalog_free(core);
    workers_free(core);
    pools_free(core);
    limits_free(core);
    timers_free(&core->timers);
    free(core->settle.items);
    free(core->dirty.items);
    free(core->resend);
    arena_free(core->scratch);
    free(core);
}

void core_restore(struct core *core, const struct snapshot *all, const struct core_now *now)
{
    /* A memory that is rebuilt in the same epoch must not hand out the ids of the one before. */
    core->random ^= (uint64_t)all->tx_seq * 0x2545F4914F6CDD1Du;
    restore_all(core, all, now);
}

void core_learn(struct core *core, const struct snapshot *delta, const struct core_now *now)
{
    (void)now;
    catalog_learn(core, delta);
}

int64_t core_catalog_gen(const struct core *core)
{
    return core->catalog_gen;
}

int64_t core_highest_epoch(const struct core *core)
{
    return core->highest_epoch;
}

int64_t core_orders_read(struct core *core, const char *worker, int64_t forgotten_us)
{
    return worker_orders_read(core, worker, forgotten_us);
}

bool core_event(struct core *core, const struct event *event, const char *envelope,
                const struct core_now *now, struct batch *out)
{
    return event_take(core, event, envelope, now, out);
}

int64_t core_room(const struct core *core)
{
    const int64_t room = core->config.most_runs - runs_count(core);
    return room > 0 ? room : 0;
}

void core_command(struct core *core, const struct command *command, bool tombstoned,
                  const struct core_now *now, struct batch *out)
{
    command_take(core, command, tombstoned, now, out);
}

void core_report(struct core *core, const struct report *report, const struct core_now *now,
                 struct batch *out)
{
    worker_report(core, report, now, out);
}

bool core_takes_worker(const struct core *core, const char *worker, int64_t others)
{
    return worker_find((struct core *)(uintptr_t)core, worker) ||
           plant_on(PLANT_WORKERS_WITHOUT_BOUND) ||
           (int64_t)HASH_COUNT(core->workers) + others < core->config.most_workers;
}

int64_t core_wants_drain(const struct core *core)
{
    return core->ticket > core->drained ? core->ticket : 0;
}

void core_drained(struct core *core, int64_t ticket, const struct core_now *now)
{
    (void)now;
    if (ticket > core->drained)
        core->drained = ticket;
    workers_drained(core, ticket);
}

/* ---- a turn -------------------------------------------------------------------------------- */

/* What is done when a timer of that kind is due to `it`, what the timer lies in. */
#define TIMERS(T)                                                                                  \
    T(BACKOFF, struct attempt, timer, attempt_timer_due(core, it, now, out))                       \
    T(ATTEMPT, struct attempt, timer, attempt_timer_due(core, it, now, out))                       \
    T(RUN_TIMEOUT, struct run, timeout, run_timeout_due(core, it, now, out))                       \
    T(QUEUED, struct run, timeout, concurrency_wait_due(core, it, now, out))                       \
    T(STEP_QUEUED, struct queued, timer, queued_due(core, it, now, out))                           \
    T(FINALLY, struct frame, finally, frame_finally_due(core, it, now, out))                       \
    T(GROUP, struct group, timeout, group_timeout_due(core, it, now, out))                         \
    T(GROUP_WAIT, struct group, wait, group_wait_due(core, it, now, out))                          \
    T(AWAIT, struct await, timer, await_timer_due(core, it, now, out))                             \
    T(SILENCE, struct worker, silence, worker_silence_due(core, it, now, out))                     \
    T(GRANT, struct worker, grant, worker_grant_due(core, it))                                     \
    T(BLOCKED, struct lane, blocked, place_lane_due(core, it, now))

typedef void fire_fn(struct core *core, struct timer *t, const struct core_now *now,
                     struct batch *out);
#define T(kind, type, member, done)                                                                \
    static void fire_##kind(struct core *core, struct timer *t, const struct core_now *now,        \
                            struct batch *out)                                                     \
    {                                                                                              \
        type *it = OWNER(t, type, member);                                                         \
        (void)now, (void)out;                                                                      \
        done;                                                                                      \
    }
TIMERS(T)
#undef T

static fire_fn *const FIRE[] = {
#define T(kind, type, member, done) [TIMER_##kind] = fire_##kind,
    TIMERS(T)
#undef T
};

struct room {
    size_t rows; /* of the batch, all told */
    size_t work; /* steps to look at */
};

static bool has_room(const struct core *core, const struct batch *out, const struct room *room)
{
    return room->work > 0 && batch_row_count(out) + core->dirty.count < room->rows &&
           core->batch_bytes < BATCH_BYTES_MAX;
}

/* However full the inputs made the batch, a turn always gets on. */
static struct room room_for(const struct core *core, const struct batch *out)
{
    size_t filled = batch_row_count(out) + core->dirty.count, rows = core->config.batch_rows;
    size_t least = rows / 4 + 1;
    return (struct room){filled + least > rows ? filled + least : rows, rows * WORK_PER_ROW + 1};
}

static bool work_once(struct core *core, const struct core_now *now, struct batch *out)
{
    if (starts_hear_one(core, now, out))
        return true;
    if (core->sweeping) {
        frame_sweep(core, core->sweeping, now, out);
        return true;
    }
    return concurrency_one(core, now, out) || adopt_one(core, now, out) ||
           cache_one(core, now, out) || groups_begin_one(core, now, out) ||
           steps_settle_one(core, now, out) || restore_resend_one(core, out) ||
           place_one(core, now, out);
}

static void end_batch(struct core *core, const struct core_now *now, struct batch *out)
{
    while (starts_hear_one(core, now, out)) /* a run and the step that waits for it end together */
        ;
    steps_flush(core, now, out);
    workers_flush(core, now, out);
    pipelines_flush_numbers(core, out);
    change_append(out);
    frames_free_over(core);
    runs_free_over(core);
    catalog_forget(core);
    core->batch_bytes = 0;
    core->turn++;
}

void core_turn(struct core *core, const struct core_now *now, struct batch *out)
{
    struct room room = room_for(core, out);
    restore_first_turn(core, now, out);
    /* Until they are closed nothing looks at what frames are given: no next try, no next round. */
    while (has_room(core, out, &room) && frames_close_one(core, now, out))
        room.work--;
    struct timer *t;
    while (has_room(core, out, &room) && (t = timers_take(&core->timers, now->mono_us)))
        FIRE[t->kind](core, t, now, out);
    workers_judge(core, now, out);
    while (has_room(core, out, &room) && work_once(core, now, out))
        room.work--;
    end_batch(core, now, out);
}

int64_t core_deadline(const struct core *core)
{
    bool busy = core->settle.count || core->dirty.count || core->sweeping || core->closing ||
                core->starting || core->due_groups || core->adopting || core->dirty_pools ||
                core->dirty_workers || core->dirty_numbers || core->looking || core->looked ||
                core->judge || core->restored ||
                (core->resend_count && core->drained >= core->resend_ticket);
    return busy ? 0 : timers_next(&core->timers);
}

void core_stats(const struct core *core, struct core_stats *out)
{
    *out = core->counted;
    out->live_runs = runs_count(core);
    out->live_steps = core->live_steps;
    out->placed = HASH_COUNT(core->attempts);
    out->ready = core->ready;
    out->waiting = core->waiting;
    out->queued_runs = core->queued_runs;
    out->workers = HASH_COUNT(core->workers);
    out->pipelines = HASH_COUNT(core->pipelines);
    out->bytes = core->bytes;
}
