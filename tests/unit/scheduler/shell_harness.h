/* tests/unit/scheduler/shell_harness.h: a shell over the memory bus, with a clock in hand and a
 * database that answers when the test says so: each call is kept, its answer given by hand. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "scheduler/shell/shell.h"
#include "tests/support/bus_memory.h"

#define HARNESS_KEYS_US (6 * 3600 * US_PER_S)

/* ---- the clock: everything happens on one list ------------------------------------------------
 */
struct due {
    int64_t at;
    uint64_t order;
    void (*fn)(void *arg);
    void *arg;
    struct due *next;
};

struct hand { /* a clock that the test moves */
    int64_t now;
    uint64_t order;
    struct due *first;
};

static inline void hand_later(void *ctx, int64_t after_us, void (*fn)(void *arg), void *arg)
{
    struct hand *hand = ctx;
    struct due *due = mem_alloc(sizeof *due), **at = &hand->first;
    *due = (struct due){hand->now + (after_us > 0 ? after_us : 0), hand->order++, fn, arg, NULL};
    while (*at && (*at)->at <= due->at)
        at = &(*at)->next;
    due->next = *at;
    *at = due;
}

static inline int64_t hand_now(void *ctx)
{
    return ((struct hand *)ctx)->now;
}

static inline void hand_pass(struct hand *hand, int64_t us)
{
    int64_t until = hand->now + us;
    while (hand->first && hand->first->at <= until) {
        struct due *due = hand->first;
        hand->first = due->next;
        hand->now = due->at > hand->now ? due->at : hand->now;
        due->fn(due->arg);
        free(due);
    }
    hand->now = until;
}

static inline struct memory_clock hand_clock(struct hand *hand)
{
    return (struct memory_clock){.now = hand_now, .later = hand_later, .ctx = hand};
}

/* ---- the world --------------------------------------------------------------------------------
 */
struct hand_world {
    struct world base;
    struct hand *hand;
};

struct world_timer {
    struct hand *hand;
    world_fn *fn;
    void *arg;
    uint64_t armed, count; /* `armed`: which arming is valid, 0 = none */
    int refs;
};

struct arming {
    struct world_timer *timer;
    uint64_t armed;
};

static inline struct hand *hand_of(struct world *world)
{
    return ((struct hand_world *)world)->hand;
}

static inline int64_t hand_mono(struct world *world)
{
    return hand_of(world)->now;
}

static inline int64_t hand_wall(struct world *world)
{
    return 1790000000 * US_PER_S + hand_of(world)->now;
}

static inline void hand_defer(struct world *world, world_fn *fn, void *arg)
{
    hand_later(hand_of(world), 0, fn, arg);
}

static inline struct world_timer *hand_timer_new(struct world *world, world_fn *fn, void *arg)
{
    struct world_timer *timer = mem_alloc(sizeof *timer);
    *timer = (struct world_timer){.hand = hand_of(world), .fn = fn, .arg = arg, .refs = 1};
    return timer;
}

static inline void hand_timer_unref(struct world_timer *timer)
{
    if (--timer->refs == 0)
        free(timer);
}

static inline void hand_timer_fires(void *arg)
{
    struct arming arming = *(struct arming *)arg;
    free(arg);
    if (arming.timer->armed == arming.armed) {
        arming.timer->armed = 0;
        arming.timer->fn(arming.timer->arg);
    }
    hand_timer_unref(arming.timer);
}

static inline void hand_timer_set(struct world_timer *timer, int64_t after_us)
{
    struct arming *arming = mem_alloc(sizeof *arming);
    *arming = (struct arming){timer, timer->armed = ++timer->count};
    timer->refs++;
    hand_later(timer->hand, after_us, hand_timer_fires, arming);
}

static inline void hand_timer_stop(struct world_timer *timer)
{
    timer->armed = 0;
}

static inline void hand_timer_free(struct world_timer *timer)
{
    if (!timer)
        return;
    timer->armed = 0;
    hand_timer_unref(timer);
}

static const struct world_ops hand_world_ops = {hand_mono,      hand_wall,      hand_defer,
                                                hand_timer_new, hand_timer_set, hand_timer_stop,
                                                hand_timer_free};

/* What is on its way when a test ends is run to nothing: timers are stopped by then. */
static inline void hand_empty(struct hand *hand)
{
    for (int i = 0; i < 100000 && hand->first; i++)
        hand_pass(hand, 60 * US_PER_S); /* an id of a worker may go in a month */
    assert_null(hand->first);
}

/* ---- the database -----------------------------------------------------------------------------
 */
struct hand_db {
    struct db base;
    db_led *looked, *taken, *beaten, *probed;
    bus_done *migrated, *kept;
    db_loaded *loaded;
    db_fetched *fetched;
    db_committed *committed;
    void *arg; /* the shell, of all of them */
    int64_t took_epoch, took_at_least, beat_epoch;
    int looks, takes, beats, probes, loads, fetches, commits;
    struct db_wanted wanted;
    const struct batch *batch;
};

static inline struct hand_db *hand_db_of(struct db *db)
{
    return (struct hand_db *)db;
}

static inline void hand_db_look(struct db *db, db_led *done, void *arg)
{
    hand_db_of(db)->looked = done;
    hand_db_of(db)->arg = arg;
    hand_db_of(db)->looks++;
}

static inline void hand_db_take_over(struct db *db, int64_t epoch, int64_t at_least,
                                     const char *holder, db_led *done, void *arg)
{
    (void)holder;
    struct hand_db *h = hand_db_of(db);
    h->taken = done;
    h->arg = arg;
    h->took_epoch = epoch;
    h->took_at_least = at_least;
    h->takes++;
}

static inline void hand_db_beat(struct db *db, int64_t epoch, db_led *done, void *arg)
{
    hand_db_of(db)->beaten = done;
    hand_db_of(db)->arg = arg;
    hand_db_of(db)->beat_epoch = epoch;
    hand_db_of(db)->beats++;
}

static inline void hand_db_migrate(struct db *db, bus_done *done, void *arg)
{
    hand_db_of(db)->migrated = done;
    hand_db_of(db)->arg = arg;
}

static inline void hand_db_load(struct db *db, const struct uuid *bus_id, db_loaded *done,
                                void *arg)
{
    (void)bus_id;
    hand_db_of(db)->loaded = done;
    hand_db_of(db)->arg = arg;
    hand_db_of(db)->loads++;
}

static inline void hand_db_fetch(struct db *db, const struct db_wanted *wanted, db_fetched *done,
                                 void *arg)
{
    hand_db_of(db)->fetched = done;
    hand_db_of(db)->arg = arg;
    hand_db_of(db)->wanted = *wanted;
    hand_db_of(db)->fetches++;
}

static inline void hand_db_commit(struct db *db, const struct uuid *bus_id,
                                  const struct batch *batch, db_committed *done, void *arg)
{
    (void)bus_id;
    struct hand_db *h = hand_db_of(db);
    assert_null(h->committed); /* one batch is in flight at a time */
    h->committed = done;
    h->arg = arg;
    h->batch = batch;
    h->commits++;
}

static inline void hand_db_probe(struct db *db, int64_t epoch, db_led *done, void *arg)
{
    (void)epoch;
    hand_db_of(db)->probed = done;
    hand_db_of(db)->arg = arg;
    hand_db_of(db)->probes++;
}

static inline void hand_db_housekeep(struct db *db, int64_t wall_us, const struct db_ages *ages,
                                     bus_done *done, void *arg)
{
    (void)wall_us;
    assert_true(ages->history_us == 90LL * 24 * 3600 * US_PER_S);
    assert_true(ages->keys_us == HARNESS_KEYS_US);
    hand_db_of(db)->kept = done;
    hand_db_of(db)->arg = arg;
}

static const struct db_ops hand_db_ops = {.look = hand_db_look,
                                          .take_over = hand_db_take_over,
                                          .beat = hand_db_beat,
                                          .migrate = hand_db_migrate,
                                          .load = hand_db_load,
                                          .fetch = hand_db_fetch,
                                          .commit = hand_db_commit,
                                          .probe = hand_db_probe,
                                          .housekeep = hand_db_housekeep};

/* ---- all of it --------------------------------------------------------------------------------
 */
struct shell_harness {
    struct hand hand;
    struct hand_world world;
    struct hand_db db;
    struct memory_log *log;
    struct bus *bus;
    struct shell *shell;
    bool beats_answered; /* each beat at once, well */
    int64_t epoch, tx_seq;
    const char *worker; /* of the next load; NULL = none */
    int ended;          /* error code of the end */
    int publish_fails;  /* so many publishes are not delivered */
};

static inline void harness_ended(void *arg, const struct err *why)
{
    ((struct shell_harness *)arg)->ended = why->code;
}

static inline void harness_fate(void *ctx, enum memory_op op, const char *topic,
                                struct memory_fate *fate)
{
    struct shell_harness *h = ctx;
    (void)topic;
    fate->there_us = fate->back_us = 100;
    if (op == MEMORY_PUBLISH && h->publish_fails > 0) {
        h->publish_fails--;
        fate->error = LEAT_EUNREACHABLE;
    }
}

static inline int shell_setup(void **state)
{
    struct shell_harness *h = *state = mem_alloc(sizeof *h);
    log_setup("test", (enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    h->hand.now = 1000 * US_PER_S;
    h->world = (struct hand_world){{&hand_world_ops}, &h->hand};
    h->db.base.ops = &hand_db_ops;
    h->beats_answered = true;
    h->log = memory_log_new(hand_clock(&h->hand), NULL);
    h->bus = memory_bus_open(h->log, &(struct memory_bus_options){.producer = "leader",
                                                                  .outbox_in_transaction = true,
                                                                  .fate = harness_fate,
                                                                  .fate_ctx = h});
    struct shell_config config = {0};
    shell_defaults(&config);
    config.holder = "test";
    assert_true(config.ages.keys_us == 30LL * 24 * 3600 * US_PER_S);
    config.ages.keys_us = HARNESS_KEYS_US;
    h->shell = shell_new(&config, &h->world.base, &h->db.base, h->bus, harness_ended, h);
    shell_start(h->shell);
    return 0;
}

static inline int shell_teardown(void **state)
{
    struct shell_harness *h = *state;
    shell_free(h->shell);
    memory_bus_kill(h->bus);
    hand_empty(&h->hand);
    memory_log_free(h->log);
    free(h);
    return 0;
}

/* Time in small steps; open beats are answered meanwhile. */
static inline void harness_wait(struct shell_harness *h, int64_t us)
{
    for (int64_t step; us > 0; us -= step) {
        step = us < 10000 ? us : 10000;
        hand_pass(&h->hand, step);
        if (h->db.beaten && h->beats_answered)
            TAKE(h->db.beaten)(h->db.arg, NULL, &(struct db_leadership){.epoch = h->epoch});
    }
}

static inline void harness_look_answers(struct shell_harness *h, int64_t epoch, int64_t beat)
{
    assert_non_null(h->db.looked);
    TAKE(h->db.looked)(h->db.arg, NULL, &(struct db_leadership){.epoch = epoch, .beat = beat});
}

/* The same when the leader's backend has ended. */
static inline void harness_look_answers_gone(struct shell_harness *h, int64_t epoch, int64_t beat)
{
    assert_non_null(h->db.looked);
    TAKE(h->db.looked)
    (h->db.arg, NULL, &(struct db_leadership){.epoch = epoch, .beat = beat, .gone = true});
}

static inline void harness_load_answers(struct shell_harness *h)
{
    assert_non_null(h->db.loaded);
    struct snapshot *s = snapshot_new();
    s->epoch = h->epoch;
    s->tx_seq = h->tx_seq;
    if (h->worker)
        *snapshot_add_workers(s) = (struct snapshot_worker){.id = h->worker,
                                                            .incarnation = {{1}},
                                                            .boot = "boot",
                                                            .state = WORKER_UNREACHABLE,
                                                            .heard_us = hand_wall(&h->world.base),
                                                            .info = json_object()};
    TAKE(h->db.loaded)(h->db.arg, NULL, s);
    harness_wait(h, 20000);
}

/* From nothing to leading, of epoch 1. */
static inline void harness_lead(struct shell_harness *h)
{
    harness_wait(h, 10000);
    harness_look_answers(h, 0, 0);
    assert_int_equal(h->db.takes, 1);
    h->epoch = 1;
    TAKE(h->db.taken)(h->db.arg, NULL, &(struct db_leadership){.epoch = 1, .held_by_us = true});
    TAKE(h->db.migrated)(h->db.arg, NULL);
    harness_load_answers(h);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
    if (h->db.kept)
        TAKE(h->db.kept)(h->db.arg, NULL);
}

static inline void harness_commit_answers(struct shell_harness *h, enum db_outcome outcome)
{
    struct err err = {0};
    assert_non_null(h->db.committed);
    err_set(&err, LEAT_EUNKNOWN, "as the test says");
    if (outcome == DB_COMMITTED)
        h->tx_seq++;
    TAKE(h->db.committed)(h->db.arg, outcome, outcome == DB_COMMITTED ? NULL : &err);
    harness_wait(h, 20000);
}

/* The inbox knows nothing of what was asked. */
static inline void harness_fetch_answers(struct shell_harness *h)
{
    static const bool none[64];
    assert_non_null(h->db.fetched);
    assert_true(h->db.wanted.id_count <= 64);
    TAKE(h->db.fetched)(h->db.arg, NULL, &(struct db_found){none, none, NULL});
    harness_wait(h, 20000);
}

static inline void harness_append(struct shell_harness *h, const char *topic, const char *text)
{
    memory_log_append(h->log, topic, "someone", "k", text, strlen(text));
    h->bus->ops->ring(h->bus, topic);
    harness_wait(h, 20000);
}

static inline struct shell_stats harness_stats(const struct shell_harness *h)
{
    struct shell_stats stats;
    shell_stats(h->shell, &stats);
    return stats;
}
