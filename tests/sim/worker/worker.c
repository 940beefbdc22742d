#include "tests/sim/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "schema/gen/messages.h"
#include "tests/sim/check/check.h"

struct life { /* of one process: what is on its way to it is void when it ends another way */
    struct local *a;
    uint64_t life;
};

static void local_exit(struct local *a, int outcome);

/* ---- the keeper -------------------------------------------------------------------------------
 */

static void life_at(struct local *a, int64_t after_us, sim_fn *fn)
{
    struct life *life = mem_alloc(sizeof *life);
    *life = (struct life){a, a->life};
    sim_always(a->worker->sim, a->worker->keeper, after_us, fn, life);
}

/* The attempt, when its process is still the one that was meant; frees the event. */
static struct local *alive(void *arg)
{
    struct life *life = arg;
    struct local *a = life->a;
    bool valid = a && a->life == life->life && a->state == LOCAL_RUNNING &&
                 !a->worker->keeper->dead && !a->worker->sim->ending;
    free(life);
    return valid ? a : NULL;
}

static void process_ends(void *arg)
{
    struct local *a = alive(arg);
    if (a)
        local_exit(a, a->will_fail || a->complaint ? REPORT_RESULT_OUTCOME_FAILED
                                                   : REPORT_RESULT_OUTCOME_SUCCEEDED);
}

static void timeout_comes(void *arg)
{
    struct local *a = alive(arg);
    if (a)
        local_exit(a, REPORT_RESULT_OUTCOME_TIMED_OUT);
}

static void term_has_worked(void *arg)
{
    struct local *a = alive(arg);
    if (a)
        local_exit(a, REPORT_RESULT_OUTCOME_CANCELLED);
}

static void fuse_has_worked(void *arg)
{
    struct local *a = alive(arg);
    if (a)
        local_exit(a, REPORT_RESULT_OUTCOME_LOST);
}

static int64_t fuse_of(const struct local *a)
{
    const int64_t after = a->lost_after_us - 5 * SEC - a->grace_us;
    return a->worker->fuse_base + (after > 0 ? after : 0);
}

static void fuse_burns(void *arg)
{
    struct local *a = alive(arg);
    if (!a)
        return;
    int64_t left = fuse_of(a) - a->worker->sim->now;
    if (left > 0)
        life_at(a, left, fuse_burns);
    else
        life_at(a, rng_in(&a->worker->sim->rng, 0, a->grace_us), fuse_has_worked);
}

/* ---- a heartbeat: the worker's process looks, and its keeper ends what is silent ---------------
 */

struct watch {
    struct local *a;
    uint64_t life;
    struct proc *proc; /* a later life of the worker looks for itself */
};

static void silence_has_worked(void *arg)
{
    struct local *a = alive(arg);
    if (a)
        local_exit(a, REPORT_RESULT_OUTCOME_TIMED_OUT);
}

static void silence_seen(void *arg)
{
    struct watch *watch = arg;
    struct local *a = watch->a;
    const struct worker *w = a->worker;
    const bool valid = a->life == watch->life && a->state == LOCAL_RUNNING && !a->cancelled &&
                       w->up && w->proc == watch->proc && !w->sim->ending;
    free(watch);
    if (!valid)
        return;
    a->silent = true;
    life_at(a, rng_in(&w->sim->rng, 1 * MS, a->grace_us), silence_has_worked);
}

/* It hangs, so it touches nothing from now on. */
static void watch_silence(struct local *a)
{
    struct watch *watch = mem_alloc(sizeof *watch);
    *watch = (struct watch){a, a->life, a->worker->proc};
    sim_always(a->worker->sim, a->worker->proc, a->heartbeat_us, silence_seen, watch);
}

/* After a restart: what had been asked to end is on its way. */
static void watch_again(struct worker *w)
{
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_RUNNING && a->heartbeat_us && a->will_hang && !a->silent)
            watch_silence(a);
}

static void keeper_runs(struct local *a)
{
    struct worker *w = a->worker;
    char id[UUID_TEXT];
    a->state = LOCAL_RUNNING;
    a->life++;
    if (w->lease_end > w->fuse_base)
        w->fuse_base = w->lease_end; /* the start answers this life's hello, or a later report */
    a->effect = check_begin(w->sim, &a->id, &a->key, w->index, a->size, a->argument, a->where);
    a->effect->without_n = a->without_n;
    a->effect->without_d = a->without_d;
    sim_note(w->sim, "%s: %s runs", w->id, uuid_short(&a->id, id));
    sim_changed(w->sim);
    w->sim->counts.attempts++;
    if (!a->will_hang)
        life_at(a, a->takes_us, process_ends);
    if (a->heartbeat_us && a->will_hang)
        watch_silence(a);
    if (a->timeout_us)
        life_at(a, a->timeout_us, timeout_comes);
    life_at(a, 0, fuse_burns);
}

/* The process is over; the worker hears of it at once, or when it is there again. */
static void local_exit(struct local *a, int outcome)
{
    a->life++;
    a->state = LOCAL_EXITED;
    a->outcome = outcome;
    check_end(a->effect, outcome, a->n);
    sim_changed(a->worker->sim);
    if (a->worker->up && !a->worker->proc->stopped)
        report_finished(a->worker, a);
}

/* ---- orders ---------------------------------------------------------------------------------- */

static struct local *local_find(struct worker *w, const struct uuid *id)
{
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (uuid_compare(&a->id, id) == 0)
            return a;
    return NULL;
}

static struct local *local_new(struct worker *w, const struct order *order, enum local_state state)
{
    struct local *a = mem_alloc(sizeof *a);
    a->worker = w;
    a->id = order->attempt;
    a->nonce = order->nonce;
    a->state = state;
    DL_APPEND(w->attempts, a);
    return a;
}

static void finish_unstarted(struct local *a, int outcome)
{
    a->outcome = outcome;
    report_finished(a->worker, a);
}

static void begin(struct local *a)
{
    struct worker *w = a->worker;
    if (a->will_fail && a->exit_code < 0) {
        check_never_began(w->sim, &a->id, &a->key);
        finish_unstarted(a, REPORT_RESULT_OUTCOME_FAILED);
        return;
    }
    keeper_runs(a);
    report_note(w, a);
    if (rng_chance(&w->sim->rng, 0.7))
        report_started(w, a);
}

/* The attempt, when nothing has become of it since; frees the event. */
static struct local *still(void *arg, enum local_state state)
{
    struct life *life = arg;
    struct local *a = life->a;
    bool valid =
        a->life == life->life && a->state == state && a->worker->up && !a->worker->sim->ending;
    free(life);
    return valid ? a : NULL;
}

static void prepared(void *arg)
{
    struct local *a = still(arg, LOCAL_JOURNALLED);
    if (!a)
        return;
    struct worker *w = a->worker;
    if (a->at_most_once && !plant_on(PLANT_STARTED_BEFORE_LEAVE)) {
        a->state = LOCAL_ASKING;
        report_ask(w, a);
    } else if (w->sim->now > w->lease_end) {
        finish_unstarted(a, REPORT_RESULT_OUTCOME_LOST); /* nothing new past the lease */
    } else {
        begin(a);
    }
}

static void let_start(void *arg)
{
    struct local *a = still(arg, LOCAL_ASKING);
    if (!a)
        return;
    if (a->worker->sim->now > a->worker->lease_end)
        finish_unstarted(a, REPORT_RESULT_OUTCOME_REFUSED);
    else
        begin(a);
}

/* A moment passes between the order that lets it start and its process: it can die there. */
static void on_leave(struct worker *w, const struct order *order)
{
    struct local *a = local_find(w, &order->attempt);
    if (plant_on(PLANT_LEAVE_TAKEN_TWICE) && a && a->state == LOCAL_RUNNING && a->at_most_once &&
        a->nonce == order->nonce)
        begin(a);
    if (!a || a->nonce != order->nonce || a->state != LOCAL_ASKING)
        return;
    struct life *life = mem_alloc(sizeof *life);
    *life = (struct life){a, a->life};
    sim_always(w->sim, w->proc, rng_in(&w->sim->rng, 0, 40 * MS), let_start, life);
}

static void on_start(struct worker *w, const struct order *order)
{
    if (local_find(w, &order->attempt))
        return;
    const struct row_key key = check_order(w->sim, &order->attempt);
    struct local *a = local_new(w, order, LOCAL_JOURNALLED);
    worker_roll(a, order, &key);
    sim_changed(w->sim);
    if (uuid_compare(&order->incarnation, &w->incarnation) != 0) {
        finish_unstarted(a, REPORT_RESULT_OUTCOME_REFUSED);
        return;
    }
    struct life *life = mem_alloc(sizeof *life);
    *life = (struct life){a, a->life};
    sim_always(w->sim, w->proc, rng_in(&w->sim->rng, 1 * MS, 60 * MS), prepared, life);
}

static void on_stop(struct worker *w, const struct order *order, int outcome)
{
    struct local *a = local_find(w, &order->attempt);
    if (!a) {
        local_new(w, order, LOCAL_TOMBSTONE);
        return;
    }
    if (a->state == LOCAL_JOURNALLED || a->state == LOCAL_ASKING) {
        finish_unstarted(a, outcome);
    } else if (a->state == LOCAL_RUNNING && !a->cancelled) {
        a->cancelled = true;
        life_at(a, rng_in(&w->sim->rng, 1 * MS, a->grace_us), term_has_worked);
    }
}

static void on_order(struct worker *w, const struct order *order)
{
    char id[UUID_TEXT];
    if (order->kind != ORDER_KIND_GRANT)
        sim_note(w->sim, "%s: order %s %s%s", w->id, order_kind_name(order->kind),
                 uuid_short(&order->attempt, id), order->epoch < w->epoch ? ", dropped" : "");
    if (order->epoch < w->epoch)
        return;
    w->epoch = order->epoch;
    switch (order->kind) {
    case ORDER_KIND_START:
        on_start(w, order);
        return;
    case ORDER_KIND_CANCEL:
        on_stop(w, order, REPORT_RESULT_OUTCOME_CANCELLED);
        return;
    case ORDER_KIND_REVOKE:
        on_stop(w, order, REPORT_RESULT_OUTCOME_REVOKED);
        return;
    case ORDER_KIND_GRANT:
        report_acknowledge(w, order->committed, order->heartbeat);
        on_leave(w, order);
        return;
    default:
        return;
    }
}

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct worker *w = arg;
    for (size_t i = 0; i < n; i++) {
        struct order order;
        struct err err = {0};
        if (order_decode(records[i].value, records[i].len, &order, &err) < 0)
            sim_fail(w->sim, 0, "an order cannot be read: %s", err.text);
        on_order(w, &order);
        order_clear(&order);
        w->orders_next = records[i].offset + 1;
    }
}

static void assign(struct worker *w)
{
    char topic[BUS_TOPIC_MAX];
    const char *topics = topic;
    struct bus_position at = {.partition = 0, .offset = w->orders_next};
    snprintf(topic, sizeof topic, "%s%s", TOPIC_ORDERS_PREFIX, w->id);
    memcpy(at.topic, topic, sizeof at.topic);
    w->bus->ops->assign(w->reader, &topics, 1, &at, 1, BUS_EARLIEST);
}

static void on_reset(void *arg)
{
    assign(arg);
    report_resend(arg);
}

static void begin_anew(void *arg)
{
    struct worker *w = arg;
    if (w->gone || w->sim->ending)
        return;
    worker_new_folder(w);
    worker_start(w);
}

/* Nobody waits for one that was removed: when its orders are trimmed unread it says so, and needs a
 * new folder. */
static void on_failed(void *arg, const struct err *err)
{
    struct worker *w = arg;
    if (w->was_removed && err->code == LEAT_ENOTFOUND) {
        sim_at(w->sim, NULL, 0, begin_anew, w);
        return;
    }
    sim_fail(w->sim, 0, "%s cannot read its orders: %s", w->id, err->text);
}

/* ---- life ------------------------------------------------------------------------------------ */

void local_acknowledged(struct worker *w, int64_t committed)
{
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_FINISHED && a->report_n <= committed) {
            a->state = LOCAL_TOMBSTONE;
            sim_changed(w->sim);
        }
}

void local_look(struct worker *w)
{
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_EXITED)
            report_finished(w, a);
}

/* What the process before left: what the keeper never had does not run any more. */
static void read_journal(struct worker *w)
{
    struct local *a;
    DL_FOREACH (w->attempts, a) {
        if (a->state != LOCAL_JOURNALLED && a->state != LOCAL_ASKING)
            continue;
        a->life++;
        a->state = LOCAL_TOMBSTONE;
    }
}

static void report_what_ended(struct worker *w)
{
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_EXITED || a->state == LOCAL_FINISHED)
            report_finished(w, a); /* with a number of this life */
}

void worker_start(void *arg)
{
    static const struct bus_reader_events events = {on_records, on_reset, on_failed};
    struct worker *w = arg;
    if (w->up || w->gone || w->sim->quiet) /* the last hello would be read after the end */
        return;
    w->proc = proc_new(w->sim);
    w->up = true;
    w->began_at = w->sim->now;
    w->incarnation = rng_uuid(&w->sim->rng);
    struct memory_clock clock = sim_clock(w->proc);
    w->bus = memory_bus_open(
        w->sim->log, &(struct memory_bus_options){.producer = w->id,
                                                  .outbox_in_transaction = w->sim->in_transaction,
                                                  .clock = &clock,
                                                  .fate = sim_bus_fate,
                                                  .fate_ctx = w->proc});
    memory_bus_set_cut(w->bus, w->cut);
    w->reader = w->bus->ops->reader_open(w->bus, &events, w);
    w->lease_end = w->sim->now + w->sim->lease_us; /* the fuses of what is held stay: nobody may
                                                      ever hear this hello */
    read_journal(w);
    report_hello(w);
    report_what_ended(w);
    watch_again(w);
    assign(w);
    sim_at(w->sim, w->proc, rng_in(&w->sim->rng, 0, 2 * SEC), report_heartbeat, w);
}

void worker_kill(struct worker *w)
{
    if (!w->up)
        return;
    sim_note(w->sim, "%s: killed", w->id);
    w->up = false;
    memory_bus_kill(TAKE(w->bus));
    proc_kill(w->proc);
    report_forget(w);
}

void worker_kill_keeper(struct worker *w)
{
    struct local *a;
    sim_note(w->sim, "%s: keeper killed", w->id);
    proc_kill(w->keeper);
    w->keeper = proc_new(w->sim);
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_RUNNING) {
            check_end(a->effect, REPORT_RESULT_OUTCOME_LOST, 0);
            a->life++;
            a->state = LOCAL_EXITED;
            a->outcome = REPORT_RESULT_OUTCOME_LOST;
            if (w->up && !w->proc->stopped)
                report_finished(w, a);
        }
}

void worker_boot(struct worker *w)
{
    struct local *a;
    worker_kill(w);
    DL_FOREACH (w->attempts, a)
        if (a->state == LOCAL_RUNNING) { /* its record names another boot: nothing is held */
            check_end(a->effect, REPORT_RESULT_OUTCOME_LOST, 0);
            a->life++;
            a->state = LOCAL_TOMBSTONE;
        }
    proc_kill(w->keeper);
    w->keeper = proc_new(w->sim);
    snprintf(w->boot, sizeof w->boot, "boot-%llx", (unsigned long long)rng_next(&w->sim->rng));
    w->fuse_base = 0;
}

void worker_new_folder(struct worker *w)
{
    worker_boot(w);
    while (w->attempts) {
        struct local *a = w->attempts;
        DL_DELETE(w->attempts, a);
        a->life++;
        a->state = LOCAL_TOMBSTONE;
        DL_APPEND(w->buried, a);
    }
    snprintf(w->id, sizeof w->id, "w%d%c", w->index, (char)('a' + w->folders++ % 26));
    w->epoch = w->orders_next = w->n = w->heartbeat = 0;
    w->was_removed = false;
    w->sim->counts.folders++;
    sim_note(w->sim, "%s: a new folder", w->id);
}

static void gone_for_good(void *arg)
{
    struct worker *w = arg;
    if (w->gone || w->sim->ending)
        return;
    worker_boot(w);
    w->gone = true;
    sim_note(w->sim, "%s: gone for good", w->id);
}

/* A machine that comes up once more, takes work in, and dies. */
void worker_lose(struct worker *w)
{
    worker_boot(w);
    sim_at(w->sim, NULL, 500 * MS, worker_start, w);
    sim_at(w->sim, NULL, 500 * MS + rng_in(&w->sim->rng, 1 * MS, 4 * SEC), gone_for_good, w);
}

void worker_set_cut(struct worker *w, bool cut)
{
    w->cut = cut;
    if (!w->up)
        return;
    memory_bus_set_cut(w->bus, cut);
    if (!cut && !w->proc->stopped)
        memory_bus_reset(w->bus);
}

void worker_lie(struct worker *w)
{
    if (w->up && !w->proc->stopped)
        report_forged(w);
}

struct worker *worker_new(struct sim *sim, int index)
{
    struct worker *w = mem_alloc(sizeof *w);
    w->sim = sim;
    w->index = index;
    snprintf(w->id, sizeof w->id, "w%d", index);
    w->slots = (int)rng_in(&sim->rng, 2, 4);
    w->pool = sim->sides && index == 1;
    snprintf(w->boot, sizeof w->boot, "boot-%d", index);
    w->keeper = proc_new(sim);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->up)
        worker_kill(w);
    struct local *a, *next;
    DL_CONCAT(w->attempts, w->buried);
    DL_FOREACH_SAFE(w->attempts, a, next)
    free(a);
    free(w);
}

int worker_count(const struct worker *w, enum local_state state)
{
    int count = 0;
    const struct local *a;
    DL_FOREACH (w->attempts, a)
        count += a->state == state;
    return count;
}

int worker_used_slots(const struct worker *w)
{
    int slots = 0;
    const struct local *a;
    DL_FOREACH (w->attempts, a)
        slots += a->state == LOCAL_RUNNING ? a->slots : 0;
    return slots;
}

bool worker_is_idle(const struct worker *w)
{
    if (w->gone)
        return true;
    return w->up && !worker_count(w, LOCAL_JOURNALLED) && !worker_count(w, LOCAL_ASKING) &&
           !worker_count(w, LOCAL_RUNNING) && !worker_count(w, LOCAL_EXITED) &&
           !worker_count(w, LOCAL_FINISHED);
}
