#include "tests/support/db_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define NOW_US 1795424336123456

const struct uuid DB_STEP_BUS = {{0xb0, 0x05}};

static struct uuid id_of(int n)
{
    /* Shaped as UUIDv7 of a week for which there is a partition, or not: both must do. */
    return (struct uuid){{0x01, 0x9a, 0xb0, 0, 0, (uint8_t)n, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
}

/* ---- answers -------------------------------------------------------------------------------- */

struct led {
    int count;
    int code;
    struct db_leadership now;
};

static void on_led(void *arg, const struct err *err, const struct db_leadership *now)
{
    struct led *l = arg;
    l->count++;
    l->code = err ? err->code : 0;
    if (now)
        l->now = *now;
}

struct done {
    int count;
    int code;
};

static void on_done(void *arg, const struct err *err)
{
    struct done *d = arg;
    d->count++;
    d->code = err ? err->code : 0;
    if (err)
        print_message("%s\n", err->text);
}

struct committed {
    int count;
    enum db_outcome outcome;
};

static void on_committed(void *arg, enum db_outcome outcome, const struct err *err)
{
    struct committed *c = arg;
    c->count++;
    c->outcome = outcome;
    assert_true((outcome == DB_COMMITTED) == (err == NULL));
    if (err)
        print_message("commit: %s\n", err->text);
}

struct loaded {
    int count;
    struct snapshot *snapshot;
};

static void on_loaded(void *arg, const struct err *err, struct snapshot *snapshot)
{
    struct loaded *l = arg;
    l->count++;
    if (err)
        fail_msg("%s", err->text);
    l->snapshot = snapshot;
}

struct fetched {
    int count;
    bool seen[4], tombstoned[4];
    struct snapshot *delta;
};

static void on_fetched(void *arg, const struct err *err, const struct db_found *found)
{
    struct fetched *f = arg;
    f->count++;
    if (err)
        fail_msg("%s", err->text);
    memcpy(f->seen, found->seen, sizeof f->seen);
    memcpy(f->tombstoned, found->tombstoned, sizeof f->tombstoned);
    f->delta = found->delta;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void until(const struct db_step *s, const int *count)
{
    assert_int_equal(*count, 0); /* never from inside the call */
    assert_true(s->w->until(s->w->arg, count, 1));
    assert_int_equal(*count, 1);
}

static int look(const struct db_step *s, struct db_leadership *now)
{
    struct led led = {0};
    s->db->ops->look(s->db, on_led, &led);
    until(s, &led.count);
    *now = led.now;
    return led.code;
}

int db_step_take_over(const struct db_step *s, int64_t epoch, int64_t at_least,
                      struct db_leadership *now)
{
    struct led led = {0};
    s->db->ops->take_over(s->db, epoch, at_least, "script", on_led, &led);
    until(s, &led.count);
    *now = led.now;
    return led.code;
}

static int beat(const struct db_step *s, int64_t epoch)
{
    struct led led = {0};
    s->db->ops->beat(s->db, epoch, on_led, &led);
    until(s, &led.count);
    return led.code;
}

int db_step_probe(const struct db_step *s, int64_t epoch, struct db_leadership *now)
{
    struct led led = {0};
    s->db->ops->probe(s->db, epoch, on_led, &led);
    until(s, &led.count);
    *now = led.now;
    return led.code;
}

int db_step_migrate(const struct db_step *s)
{
    struct done done = {0};
    s->db->ops->migrate(s->db, on_done, &done);
    until(s, &done.count);
    return done.code;
}

enum db_outcome db_step_commit(const struct db_step *s, const struct batch *batch)
{
    struct committed c = {0};
    s->db->ops->commit(s->db, &DB_STEP_BUS, batch, on_committed, &c);
    until(s, &c.count);
    return c.outcome;
}

struct snapshot *db_step_load(const struct db_step *s)
{
    struct loaded l = {0};
    s->db->ops->load(s->db, &DB_STEP_BUS, on_loaded, &l);
    until(s, &l.count);
    assert_non_null(l.snapshot);
    return l.snapshot;
}

static struct fetched fetch(const struct db_step *s, const struct db_wanted *wanted)
{
    struct fetched f = {0};
    s->db->ops->fetch(s->db, wanted, on_fetched, &f);
    until(s, &f.count);
    return f;
}

/* ---- batches -------------------------------------------------------------------------------- */

static struct uuid attempt_of(const struct uuid *run, int step)
{
    struct uuid id = *run;
    id.b[13] = (uint8_t)(step >> 16);
    id.b[14] = (uint8_t)(step >> 8);
    id.b[15] = (uint8_t)step;
    return id;
}

void db_step_place(struct batch *b, const struct uuid *run, int steps)
{
    *batch_add_runs(b) = (struct batch_run){.id = *run,
                                            .pipeline = "p",
                                            .version = "h1",
                                            .name = "p-1",
                                            .number = 1,
                                            .experiment = "e",
                                            .state = RUN_RUNNING,
                                            .reason = "",
                                            .trigger = "cron",
                                            .params = "{\"a\": [1]}",
                                            .vars = "{}",
                                            .created_us = NOW_US,
                                            .started_us = NOW_US};
    for (int i = 0; i < steps; i++) {
        *batch_add_steps(b) = (struct batch_step){.run = *run,
                                                  .step = i,
                                                  .state = STEP_PLACED,
                                                  .attempt = 1,
                                                  .attempt_id = attempt_of(run, i),
                                                  .nonce = -7 - i,
                                                  .worker = "w1",
                                                  .incarnation = attempt_of(run, 9999),
                                                  .since_us = NOW_US,
                                                  .due_us = 5,
                                                  .lost = 2,
                                                  .reason = "why",
                                                  .leave = i == 0};
        *batch_add_messages(b) = (struct batch_message){
            .topic = "leat.orders.w1", .key = NULL, .value = "{\"kind\":\"start\"}", .len = 16};
    }
    *batch_add_messages(b) =
        (struct batch_message){.topic = "leat.changes", .key = "k", .value = "{}", .len = 2};
}

void db_step_finish(struct batch *b, const struct uuid *run, int steps)
{
    for (int i = 0; i < steps; i++)
        *batch_add_results(b) = (struct batch_result){.run = *run,
                                                      .step = i,
                                                      .state = STEP_SUCCEEDED,
                                                      .attempt = 1,
                                                      .attempt_id = attempt_of(run, i),
                                                      .worker = "w1",
                                                      .exit_code = i ? 0 : INT32_MIN,
                                                      .reason = "",
                                                      .outputs = "{\"rmse\": 1.5}",
                                                      .metrics = i ? NULL : "{\"m\": 1}",
                                                      .started_us = NOW_US,
                                                      .finished_us = NOW_US + 1};
    for (int i = 0; i < 2; i++) /* of one key in one batch the later counts */
        *batch_add_cached(b) =
            (struct batch_cached){.key = "k", .run = *run, .step = i, .finished_us = NOW_US + 1};
    *batch_add_run_moves(b) = (struct batch_run_move){
        .id = *run, .state = RUN_SUCCEEDED, .reason = "", .finished_us = NOW_US + 2};
    *batch_add_messages(b) =
        (struct batch_message){.topic = "leat.changes", .key = "k", .value = "{}", .len = 2};
}

static void first_rows(struct batch *b)
{
    const struct uuid event = id_of(50), tombstoned = id_of(51), command = id_of(52);
    const struct uuid run = id_of(1);
    *batch_add_inbox(b) = (struct batch_inbox){event, NOW_US};
    *batch_add_inbox(b) = (struct batch_inbox){run, NOW_US};
    *batch_add_events(b) = (struct batch_event){.id = event,
                                                .received_us = NOW_US,
                                                .source = "s",
                                                .type = "t",
                                                .envelope = "{\"data\": {\"x\": \"é\"}}",
                                                .verdicts = "[]"};
    db_step_place(b, &run, 2);
    b->runs[0].event = event;
    *batch_add_workers(b) = (struct batch_worker){.id = "w1",
                                                  .incarnation = id_of(60),
                                                  .boot = "boot",
                                                  .state = WORKER_ACTIVE,
                                                  .report_n = 3,
                                                  .info = "{\"slots\": 4}",
                                                  .heard_us = NOW_US};
    *batch_add_attempts(b) = (struct batch_attempt){.run = run,
                                                    .step = 1,
                                                    .attempt = 1,
                                                    .attempt_id = id_of(61),
                                                    .state = ATTEMPT_LOST,
                                                    .exit_code = INT32_MIN,
                                                    .finished_us = NOW_US};
    *batch_add_commands(b) = (struct batch_command){
        .id = command, .kind = "run", .accepted = true, .detail = "d", .at_us = NOW_US};
    *batch_add_numbers(b) = (struct batch_number){"p", 2};
    *batch_add_tombstones(b) = (struct batch_tombstone){tombstoned, NOW_US};
    *batch_add_offsets(b) =
        (struct bus_position){.topic = "leat.events", .partition = 1, .offset = 17};
}

/* ---- the script ----------------------------------------------------------------------------- */

static void nobody_leads_then_one_does(const struct db_step *a, const struct db_step *b)
{
    struct db_leadership now;
    assert_int_equal(look(a, &now), 0);
    assert_int_equal(now.epoch, 0);
    assert_false(now.held_by_us);
    assert_int_equal(db_step_take_over(a, 0, 0, &now), 0);
    assert_int_equal(now.epoch, 1);
    assert_int_equal(db_step_take_over(b, 0, 0, &now), LEAT_EFENCED);
    assert_int_equal(db_step_migrate(a), 0);
    assert_int_equal(db_step_migrate(a), 0);
    assert_int_equal(look(b, &now), 0);
    assert_int_equal(now.epoch, 1);
    assert_false(now.held_by_us);
    a->w->prepare(a->w->arg);
}

static void committed_rows_are_loaded(const struct db_step *a, struct batch *b)
{
    batch_clear(b);
    b->epoch = 1;
    b->tx_seq = 0;
    first_rows(b);
    assert_int_equal(db_step_commit(a, b), DB_COMMITTED);
    struct snapshot *s = db_step_load(a);
    assert_int_equal(s->epoch, 1);
    assert_int_equal(s->tx_seq, 1);
    assert_int_equal(s->versions_count, 1);
    assert_string_equal(s->versions[0].hash, "h1");
    assert_int_equal(s->pipelines_count, 1);
    assert_int_equal(s->pipelines[0].next_number, 2);
    assert_int_equal(s->runs_count, 1);
    const struct snapshot_run *r = &s->runs[0];
    assert_int_equal(r->state, RUN_RUNNING);
    assert_string_equal(r->trigger, "cron");
    assert_int_equal(r->created_us, NOW_US);
    assert_int_equal(r->cancelled_us, 0);
    assert_non_null(json_object_get(r->envelope, "data"));
    assert_int_equal(json_array_size(json_object_get(r->params, "a")), 1);
    assert_int_equal(s->steps_count, 2);
    const struct snapshot_step *t = &s->steps[s->steps[0].step == 0 ? 0 : 1];
    const struct uuid attempt = attempt_of(&r->id, 0);
    assert_memory_equal(&t->attempt_id, &attempt, sizeof attempt);
    assert_int_equal(t->state, STEP_PLACED);
    assert_int_equal(t->nonce, -7);
    assert_int_equal(t->due_us, 5);
    assert_int_equal(t->lost, 2);
    assert_true(t->leave == (t->step == 0));
    assert_int_equal(t->started_us, 0);
    assert_string_equal(t->worker, "w1");
    assert_string_equal(t->reason, "why");
    assert_int_equal(s->workers_count, 1);
    assert_int_equal(json_integer_value(json_object_get(s->workers[0].info, "slots")), 4);
    assert_int_equal(s->offsets_count, 1);
    assert_string_equal(s->offsets[0].topic, "leat.events");
    assert_int_equal(s->offsets[0].offset, 17);
    assert_int_equal(s->results_count, 0);
    snapshot_free(s);
}

static void inbox_remembers(const struct db_step *a)
{
    const struct uuid ids[4] = {id_of(50), id_of(51), id_of(77), id_of(1)};
    struct db_wanted wanted = {.ids = ids, .id_count = 4, .catalog_gen = 1};
    struct fetched f = fetch(a, &wanted);
    assert_true(f.seen[0] && !f.seen[1] && !f.seen[2] && f.seen[3]);
    assert_true(!f.tombstoned[0] && f.tombstoned[1] && !f.tombstoned[2] && !f.tombstoned[3]);
    assert_null(f.delta);
    wanted.catalog_gen = 0; /* the catalog has moved on since */
    f = fetch(a, &wanted);
    assert_non_null(f.delta);
    assert_int_equal(f.delta->catalog_gen, 1);
    assert_int_equal(f.delta->pipelines_count, 1);
    assert_int_equal(f.delta->versions_count, 1);
    snapshot_free(f.delta);
}

static void stale_batch_is_fenced(const struct db_step *a, struct batch *b)
{
    const struct uuid id = id_of(70);
    struct db_leadership now;
    batch_clear(b);
    b->epoch = 1;
    b->tx_seq = 0; /* it is 1 */
    *batch_add_inbox(b) = (struct batch_inbox){id, NOW_US};
    assert_int_equal(db_step_commit(a, b), DB_FENCED);
    b->epoch = 2;
    b->tx_seq = 1;
    assert_int_equal(db_step_commit(a, b), DB_FENCED);
    const struct uuid ids[4] = {id, id, id, id};
    const struct fetched f =
        fetch(a, &(struct db_wanted){.ids = ids, .id_count = 4, .catalog_gen = 1});
    assert_false(f.seen[0]);
    assert_int_equal(db_step_probe(a, 1, &now), 0);
    assert_true(now.held_by_us);
    assert_int_equal(now.tx_seq, 1);
}

/* A repeated inbox row takes the whole batch back. */
static void refused_batch_leaves_nothing(const struct db_step *a, struct batch *b)
{
    struct db_leadership now;
    batch_clear(b);
    b->epoch = 1;
    b->tx_seq = 1;
    *batch_add_inbox(b) = (struct batch_inbox){id_of(71), NOW_US};
    *batch_add_inbox(b) = (struct batch_inbox){id_of(50), NOW_US};
    assert_int_equal(db_step_commit(a, b), DB_NOT_IN);
    const struct uuid ids[4] = {id_of(71), id_of(71), id_of(71), id_of(71)};
    const struct fetched f =
        fetch(a, &(struct db_wanted){.ids = ids, .id_count = 4, .catalog_gen = 1});
    assert_false(f.seen[0]);
    assert_int_equal(db_step_probe(a, 1, &now), 0);
    assert_int_equal(now.tx_seq, 1);
}

static void finished_run_leaves_the_live_tables(const struct db_step *a, struct batch *b)
{
    const struct uuid run = id_of(1), skipped = id_of(2);
    batch_clear(b);
    b->epoch = 1;
    b->tx_seq = 1;
    db_step_finish(b, &run, 2);
    db_step_place(b, &skipped, 0); /* ends at its birth */
    b->runs[0].state = RUN_SKIPPED;
    b->runs[0].reason = "concurrency";
    assert_int_equal(db_step_commit(a, b), DB_COMMITTED);
    struct snapshot *s = db_step_load(a);
    assert_int_equal(s->runs_count, 0);
    assert_int_equal(s->steps_count, 0);
    assert_int_equal(s->results_count, 0);
    snapshot_free(s);
    const struct uuid ids[4] = {run, run, run, run}, runs[] = {run, skipped};
    const struct db_wanted_version named = {"p", "h1"};
    const struct fetched f = fetch(a, &(struct db_wanted){.ids = ids,
                                                          .id_count = 4,
                                                          .runs = runs,
                                                          .run_count = 2,
                                                          .versions = &named,
                                                          .version_count = 1,
                                                          .catalog_gen = 1});
    assert_non_null(f.delta);
    assert_int_equal(f.delta->runs_count, 2);
    assert_int_equal(f.delta->versions_count, 1);
    assert_int_equal(f.delta->results_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct snapshot_run *r = &f.delta->runs[i];
        const bool first = uuid_compare(&r->id, &run) == 0;
        assert_int_equal(r->state, first ? RUN_SUCCEEDED : RUN_SKIPPED);
        assert_int_equal(r->started_us, NOW_US);
        const struct snapshot_result *t = &f.delta->results[i];
        assert_int_equal(t->state, STEP_SUCCEEDED);
        assert_non_null(json_object_get(t->outputs, "rmse"));
        assert_true((t->metrics != NULL) == (t->step == 0));
    }
    snapshot_free(f.delta);
}

/* By key and age, in the order of the questions; of two of one batch the later. */
static void earlier_results_are_found(const struct db_step *a)
{
    const struct uuid run = id_of(1);
    const struct core_cached_wanted wanted[] = {
        {"k", 0}, {"k", NOW_US + 2}, {"nosuch", 0}, {"k", NOW_US + 1}};
    const struct uuid ids[4] = {run, run, run, run};
    const struct fetched f = fetch(a, &(struct db_wanted){.ids = ids,
                                                          .id_count = 4,
                                                          .cached = wanted,
                                                          .cached_count = ARRAY_LEN(wanted),
                                                          .catalog_gen = 1});
    assert_non_null(f.delta);
    assert_int_equal(f.delta->cached_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct snapshot_cached *c = &f.delta->cached[i];
        assert_int_equal(c->place, i ? 3 : 0);
        assert_memory_equal(&c->run, &run, sizeof run);
        assert_non_null(json_object_get(c->outputs, "rmse"));
        assert_null(c->metrics); /* those of step 1 */
    }
    snapshot_free(f.delta);
}

static void no_topic_no_commit(const struct db_step *a, struct batch *b)
{
    batch_clear(b);
    b->epoch = 1;
    b->tx_seq = 2;
    *batch_add_messages(b) =
        (struct batch_message){.topic = "leat.orders.nobody", .value = "{}", .len = 2};
    assert_int_equal(db_step_commit(a, b), DB_NOT_IN);
}

static void beats_show_who_lives(const struct db_step *a, const struct db_step *b)
{
    struct db_leadership before, after;
    assert_int_equal(look(b, &before), 0);
    assert_int_equal(beat(a, 1), 0);
    assert_int_equal(beat(a, 1), 0);
    assert_int_equal(look(b, &after), 0);
    assert_int_equal(after.beat, before.beat + 2);
    assert_false(before.gone || after.gone);
    assert_int_equal(beat(b, 0), LEAT_EFENCED);
}

/* The one that was taken over can never commit again, whatever it learns first. */
static void standby_takes_over(const struct db_step *a, const struct db_step *b,
                               struct batch *batch)
{
    struct db_leadership now;
    enum db_outcome outcome = DB_NOT_IN;
    assert_int_equal(db_step_take_over(b, 1, 0, &now), 0);
    assert_int_equal(now.epoch, 2);
    assert_int_equal(now.tx_seq, 2);
    batch_clear(batch);
    batch->epoch = 1;
    batch->tx_seq = 2;
    *batch_add_inbox(batch) = (struct batch_inbox){id_of(80), NOW_US};
    const int64_t end = clock_monotonic_us() + 20 * US_PER_S;
    while (outcome != DB_FENCED && clock_monotonic_us() < end) { /* its connection is cut, too */
        outcome = db_step_commit(a, batch);
        assert_true(outcome != DB_COMMITTED);
    }
    assert_int_equal(outcome, DB_FENCED);
    assert_int_equal(beat(a, 1), LEAT_EFENCED);
    batch->epoch = 2;
    assert_int_equal(db_step_commit(b, batch), DB_COMMITTED);
    assert_int_equal(db_step_probe(a, 1, &now), 0);
    assert_false(now.held_by_us);
    assert_int_equal(db_step_take_over(b, 2, 40, &now), 0); /* raises its own */
    assert_int_equal(now.epoch, 40);
    assert_int_equal(now.tx_seq, 3);
}

/* A leader that begins goes on with what the one before had not yet taken over. */
static void pending_retry_brings_what_it_adopts(const struct db_step *a, struct batch *b)
{
    const struct uuid retry = id_of(3), old = id_of(1);
    batch_clear(b);
    b->epoch = 40;
    b->tx_seq = 3;
    db_step_place(b, &retry, 0);
    b->runs[0].state = RUN_PENDING;
    b->runs[0].retry_of = old;
    b->runs[0].retry_from = "train";
    b->runs[0].no_cache = true;
    assert_int_equal(db_step_commit(a, b), DB_COMMITTED);
    struct snapshot *s = db_step_load(a);
    assert_int_equal(s->runs_count, 2);
    const size_t first = uuid_compare(&s->runs[0].id, &retry) == 0 ? 0 : 1;
    assert_int_equal(s->runs[first].state, RUN_PENDING);
    assert_string_equal(s->runs[first].retry_from, "train");
    assert_true(s->runs[first].no_cache);
    assert_memory_equal(&s->runs[!first].id, &old, sizeof old);
    assert_int_equal(s->runs[!first].state, RUN_SUCCEEDED);
    assert_int_equal(s->results_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true((s->results[i].metrics != NULL) == (s->results[i].step == 0));
    snapshot_free(s);
}

static void house_is_kept(const struct db_step *b)
{
    struct done done = {0};
    const struct db_ages ages = {.history_us = 90LL * 86400 * 1000000, .keys_us = 1};
    b->db->ops->housekeep(b->db, NOW_US, &ages, on_done, &done);
    until(b, &done.count);
    assert_int_equal(done.code, 0);
}

/* A process that dies takes its connections along; the server sees it a moment later. */
static void one_that_has_ended_is_gone(const struct db_step *a, const struct db_step *leader)
{
    struct db_leadership now = {0};
    leader->db->ops->close(leader->db);
    for (int i = 0; i < 5000 && !now.gone; i++)
        assert_int_equal(look(a, &now), 0);
    assert_true(now.gone);
    assert_int_equal(now.epoch, 40);
}

void db_script(const struct db_world *world)
{
    const struct db_step a = {world, world->open(world->arg)}, b = {world, world->open(world->arg)};
    struct batch *batch = batch_new();
    nobody_leads_then_one_does(&a, &b);
    committed_rows_are_loaded(&a, batch);
    inbox_remembers(&a);
    stale_batch_is_fenced(&a, batch);
    refused_batch_leaves_nothing(&a, batch);
    finished_run_leaves_the_live_tables(&a, batch);
    earlier_results_are_found(&a);
    no_topic_no_commit(&a, batch);
    beats_show_who_lives(&a, &b);
    standby_takes_over(&a, &b, batch);
    pending_retry_brings_what_it_adopts(&b, batch);
    house_is_kept(&b);
    batch_free(batch);
    one_that_has_ended_is_gone(&a, &b);
    a.db->ops->close(a.db);
}
