/* tests/unit/scheduler/core_harness.h: a core with a clock in hand, a mirror of the rows that its
 * batches would leave in Postgres, and the orders that it sent. Every turn is checked. */
#pragma once
#include "tests/unit/scheduler/core_mirror.h"

static inline void keep_order(struct harness *h, const struct batch_message *m)
{
    if (h->order_count == h->order_cap) {
        h->order_cap = h->order_cap ? h->order_cap * 2 : 64;
        h->orders = mem_grow(h->orders, h->order_cap, sizeof *h->orders);
        h->order_workers = mem_grow(h->order_workers, h->order_cap, sizeof *h->order_workers);
    }
    struct err err = {0};
    if (order_decode(m->value, m->len, &h->orders[h->order_count], &err) < 0)
        fail_msg("order: %s", err.text);
    h->order_workers[h->order_count++] = mem_string(m->topic + strlen(TOPIC_ORDERS_PREFIX));
}

static inline void keep_messages(struct harness *h)
{
    for (size_t i = 0; i < h->out->messages_count; i++) {
        const struct batch_message *m = &h->out->messages[i];
        if (strcmp(m->topic, TOPIC_CHANGES) != 0) {
            keep_order(h, m);
            continue;
        }
        struct change change;
        assert_int_equal(change_decode(m->value, m->len, &change, NULL), 0);
        assert_true(m->len <= 256 * 1024);
        assert_int_equal(change.tx_seq, h->out->tx_seq + 1);
        h->changes++;
        h->partial += change.partial;
        change_clear(&change);
    }
}

static inline void keep_verdicts(struct harness *h)
{
    struct batch *b = h->out;
    if (b->commands_count) {
        const struct batch_command *c = &b->commands[b->commands_count - 1];
        h->accepted = c->accepted;
        h->busy = c->busy;
        snprintf(h->detail, sizeof h->detail, "%s", c->detail);
    }
    if (b->events_count)
        snprintf(h->verdicts, sizeof h->verdicts, "%s", b->events[b->events_count - 1].verdicts);
}

/* One batch: the turn, the commit, the next. */
static inline void harness_turn(struct harness *h)
{
    harness_look_up(h);
    core_turn(h->core, &h->now, h->out);
    if (h->mirror) {
        core_check(h->core);
        mirror_runs(h);
        mirror_steps(h);
        mirror_results(h);
        mirror_groups(h);
        mirror_finallys(h);
        mirror_cached(h);
        mirror_starts(h);
        mirror_workers(h);
    }
    size_t rows = 0;
#define A(field, type) rows += h->out->field##_count;
    BATCH_ARRAYS(A)
#undef A
    h->most_rows = rows > h->most_rows ? rows : h->most_rows;
    h->attempts_done += h->out->attempts_count;
    h->step_rows += h->out->steps_count;
    keep_messages(h);
    keep_verdicts(h);
    h->turns++;
    h->rows->tx_seq = ++h->out->tx_seq;
    batch_clear(h->out);
}

/* Turns until nothing is due. */
static inline void harness_settle(struct harness *h)
{
    harness_turn(h);
    for (int i = 0; i < 10000 && core_deadline(h->core) <= h->now.mono_us; i++)
        harness_turn(h);
    assert_true(core_deadline(h->core) > h->now.mono_us);
}

static inline void harness_pass(struct harness *h, int64_t us)
{
    h->now.mono_us += us;
    h->now.wall_us += us;
    h->now.answered_us += us;
    harness_settle(h);
}

/* ---- setting up ---------------------------------------------------------------------------- */

static inline struct harness *harness_new(void)
{
    struct harness *h = mem_alloc(sizeof *h);
    h->config = (struct core_config){.epoch = 7,
                                     .seed = 42,
                                     .lease_us = 10 * US_PER_S,
                                     .lost_after_us = 90 * US_PER_S,
                                     .cancel_grace_us = 10 * US_PER_S,
                                     .batch_rows = 2000,
                                     .most_runs = 1000000,
                                     .most_pipelines = 10000,
                                     .most_workers = 10000,
                                     .worker_age_us = 30 * 24 * 3600 * US_PER_S};
    h->core = core_new(&h->config);
    h->now = (struct core_now){1000 * US_PER_S, 1700000000 * US_PER_S, 500 * US_PER_S};
    h->out = batch_new();
    h->out->epoch = 7;
    h->rows = snapshot_new();
    h->mirror = true;
    return h;
}

static inline void harness_forget_orders(struct harness *h)
{
    for (size_t i = 0; i < h->order_count; i++) {
        order_clear(&h->orders[i]);
        free(h->order_workers[i]);
    }
    h->order_count = 0;
}

static inline void harness_free(struct harness *h)
{
    harness_forget_orders(h);
    free(h->orders);
    free(h->order_workers);
    core_free(h->core);
    batch_free(h->out);
    snapshot_free(h->rows);
    free(h);
}

/* Takes the IR over; the core learns it. Returns the version's hash. */
static inline const char *harness_apply_ir(struct harness *h, json_t *ir)
{
    char hash[SHA256_HEX];
    ir_hash(ir, hash);
    struct snapshot_version *v = snapshot_add_versions(h->rows);
    v->pipeline = snapshot_text(h->rows, json_get_string(ir, "name", ""));
    v->hash = snapshot_text(h->rows, hash);
    v->ir = ir;
    struct snapshot_pipeline *p = snapshot_add_pipelines(h->rows);
    p->name = v->pipeline;
    p->version = v->hash;
    p->next_number = 1;
    struct snapshot *delta = snapshot_new();
    *snapshot_add_versions(delta) = *v;
    json_incref(ir);
    *snapshot_add_pipelines(delta) = *p;
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
    return v->hash;
}

/* Every limit that a pipeline names is there, and every pipeline that its steps start, unseen. */
static inline int harness_finds(void *arg, enum ir_reference kind, const char *reference,
                                const char *from, struct ir_found *out, struct err *err)
{
    (void)arg, (void)from, (void)out;
    return kind == IR_REFERENCE_LIMIT || kind == IR_REFERENCE_START || kind == IR_REFERENCE_IMAGE
               ? 0
               : err_set(err, LEAT_ENOTFOUND, "no %s", reference);
}

/* The same from a pipeline file. */
static inline const char *harness_apply(struct harness *h, const char *yaml)
{
    struct err err = {0};
    struct yaml_docs docs cleanup_yaml = {0};
    if (yaml_read("test.yaml", yaml, strlen(yaml), &docs, &err) < 0)
        fail_msg("%s", err.text);
    json_t *ir = ir_compile(&docs.items[0], "test.yaml",
                            &(struct ir_resolver){.find = harness_finds}, NULL, &err);
    if (!ir)
        fail_msg("%s", err.text);
    return harness_apply_ir(h, ir);
}

/* A new leader over the committed rows; `gone_us` of wall time passed in between. */
/* May a retry still take over results of this finished run? */
static inline bool is_adopted(const struct harness *h, const struct uuid *run)
{
    for (size_t i = 0; i < h->rows->runs_count; i++)
        if (!machine_is_terminal(&MACHINE_RUN, h->rows->runs[i].state) &&
            same_id(&h->rows->runs[i].retry_of, run))
            return true;
    return false;
}

static inline void harness_restart(struct harness *h, int64_t gone_us)
{
    core_free(h->core);
    h->config.epoch++;
    h->core = core_new(&h->config);
    h->now.wall_us += gone_us;
    h->now.mono_us = 5000000; /* another machine's clock */
    h->now.answered_us = 0;
    struct snapshot *live = snapshot_new();
    live->tx_seq = h->rows->tx_seq;
    for (size_t i = 0; i < h->rows->versions_count; i++) {
        *snapshot_add_versions(live) = h->rows->versions[i];
        json_incref(h->rows->versions[i].ir);
    }
    for (size_t i = 0; i < h->rows->pipelines_count; i++)
        *snapshot_add_pipelines(live) = h->rows->pipelines[i];
    for (size_t i = 0; i < h->rows->workers_count; i++) {
        *snapshot_add_workers(live) = h->rows->workers[i];
        json_incref(h->rows->workers[i].info);
    }
    for (size_t i = 0; i < h->rows->runs_count; i++) {
        struct snapshot_run *r = &h->rows->runs[i];
        if (machine_is_terminal(&MACHINE_RUN, r->state) && !is_adopted(h, &r->id))
            continue;
        *snapshot_add_runs(live) = *r;
        json_incref(r->params);
        json_incref(r->vars);
    }
    for (size_t i = 0; i < h->rows->results_count; i++) {
        *snapshot_add_results(live) = h->rows->results[i];
        json_incref(h->rows->results[i].outputs);
    }
    for (size_t i = 0; i < h->rows->steps_count; i++) {
        *snapshot_add_steps(live) = h->rows->steps[i];
        json_incref(h->rows->steps[i].limits);
    }
    live->has_limits = true;
    for (size_t i = 0; i < h->rows->limits_count; i++)
        *snapshot_add_limits(live) = h->rows->limits[i];
    for (size_t i = 0; i < h->rows->pools_count; i++)
        *snapshot_add_pools(live) = h->rows->pools[i];
    for (size_t i = 0; i < h->rows->groups_count; i++) {
        *snapshot_add_groups(live) = h->rows->groups[i];
        json_incref(h->rows->groups[i].items);
    }
    for (size_t i = 0; i < h->rows->finallys_count; i++)
        *snapshot_add_finallys(live) = h->rows->finallys[i];
    for (size_t i = 0; i < h->rows->starts_count; i++)
        *snapshot_add_starts(live) = h->rows->starts[i];
    core_restore(h->core, live, &h->now);
    core_check(h->core);
    snapshot_free(live);
}

/* What the shell fetches for a run that repeats a finished one: that, its results and tries, and
 * the versions. Takes `envelope` over; NULL = its event is not kept, or it had none. */
static __attribute__((noinline, unused)) void harness_learn_run(struct harness *h, struct uuid of,
                                                                json_t *envelope)
{
    struct snapshot *delta = snapshot_new();
    struct snapshot_run *run = snapshot_add_runs(delta);
    *run = *row_of_run(h, of);
    json_incref(run->params);
    json_incref(run->vars);
    run->envelope = envelope;
    for (size_t i = 0; i < h->rows->versions_count; i++) {
        *snapshot_add_versions(delta) = h->rows->versions[i];
        json_incref(h->rows->versions[i].ir);
    }
    for (size_t i = 0; i < h->rows->results_count; i++)
        if (same_id(&h->rows->results[i].run, &of)) {
            *snapshot_add_results(delta) = h->rows->results[i];
            json_incref(h->rows->results[i].outputs);
        }
    for (size_t i = 0; i < h->rows->groups_count; i++)
        if (same_id(&h->rows->groups[i].run, &of)) {
            *snapshot_add_groups(delta) = h->rows->groups[i];
            json_incref(h->rows->groups[i].items);
        }
    core_learn(h->core, delta, &h->now);
    snapshot_free(delta);
}

/* ---- inputs -------------------------------------------------------------------------------- */

static inline void harness_command(struct harness *h, struct command c, bool tombstoned)
{
    static int next = 1;
    c.v = 1;
    c.id = id_of(0);
    c.id.b[14] = (uint8_t)(next >> 8);
    c.id.b[15] = (uint8_t)next++;
    core_command(h->core, &c, tombstoned, &h->now, h->out);
    harness_settle(h);
}

/* Takes a command in that makes run `byte` out of c.of, which the core has learned; no turn. */
static inline struct uuid harness_ask(struct harness *h, struct command c, int byte)
{
    harness_forget_orders(h);
    c.v = 1;
    c.id = id_of(byte + 100);
    c.run = id_of(byte);
    core_command(h->core, &c, false, &h->now, h->out);
    return c.run;
}

static inline struct uuid harness_run(struct harness *h, const char *pipeline, int byte)
{
    harness_command(
        h, (struct command){.kind = COMMAND_KIND_RUN, .run = id_of(byte), .pipeline = pipeline},
        false);
    return id_of(byte);
}

static inline void harness_cancel(struct harness *h, struct uuid run)
{
    harness_command(h, (struct command){.kind = COMMAND_KIND_CANCEL, .run = run}, false);
}

static inline void worker_name(int w, char name[16])
{
    snprintf(name, 16, "w%d", w);
}

static inline void harness_report(struct harness *h, int w, struct report r)
{
    char name[16];
    worker_name(w, name);
    r.v = 1;
    r.worker = name;
    r.incarnation = h->lives[w];
    if (r.n == 0)
        r.n = ++h->numbers[w];
    core_report(h->core, &r, &h->now, h->out);
}

/* A fresh life of worker w with so many slots, holding these attempts. */
static inline void harness_hello(struct harness *h, int w, int slots, struct held_attempt *held,
                                 size_t held_count)
{
    const char *executors[] = {"process", "noop"}, *abilities[ABILITY_COUNT];
    memcpy(abilities, ABILITY_TEXTS, sizeof abilities);
    struct report_hello hello = {.boot = "boot",
                                 .slots = slots,
                                 .pool = h->pools[w],
                                 .executors = executors,
                                 .executors_count = 2,
                                 .abilities = abilities,
                                 .abilities_count = h->older[w] ? 0 : ABILITY_COUNT,
                                 .workspace = "/w",
                                 .held = held,
                                 .held_count = held_count};
    h->lives[w] = id_of(w);
    h->lives[w].b[12] = 0xff; /* no run's id */
    h->lives[w].b[13] = (uint8_t)(++h->lives_made >> 8);
    h->lives[w].b[14] = (uint8_t)h->lives_made;
    harness_report(h, w, (struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
    harness_settle(h);
}

static inline void harness_heartbeat(struct harness *h, int w, int64_t k)
{
    harness_report(h, w, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = k});
    harness_settle(h);
}

static inline void harness_started(struct harness *h, int w, const struct order *o)
{
    harness_report(
        h, w,
        (struct report){.kind = REPORT_KIND_STARTED, .attempt = o->attempt, .nonce = o->nonce});
}

static inline void harness_finished(struct harness *h, int w, const struct order *o, int outcome,
                                    const char *outputs)
{
    json_t *json = json_of(outputs);
    struct report_result result = {.outcome = outcome, .outputs = json};
    if (outcome == REPORT_RESULT_OUTCOME_FAILED)
        result.exit_code = 3;
    harness_report(h, w,
                   (struct report){.kind = REPORT_KIND_FINISHED,
                                   .attempt = o->attempt,
                                   .nonce = o->nonce,
                                   .result = &result});
    json_decref(json);
}

/* ---- looking ------------------------------------------------------------------------------- */

/* The newest order of that kind for the step (start) or at all; NULL = none. */
static __attribute__((noinline, unused)) struct order *order_of(struct harness *h, int kind,
                                                                const char *step)
{
    for (size_t i = h->order_count; i-- > 0;)
        if (h->orders[i].kind == kind &&
            (!step || (h->orders[i].start && strcmp(h->orders[i].start->step, step) == 0)))
            return &h->orders[i];
    return NULL;
}

static inline size_t orders_of(const struct harness *h, int kind)
{
    size_t n = 0;
    for (size_t i = 0; i < h->order_count; i++)
        n += h->orders[i].kind == kind;
    return n;
}

/* State of a step by its committed rows; "-" = it has none. */
static inline const char *step_is(struct harness *h, struct uuid run, int step)
{
    const struct snapshot_result *r = row_of_result(h, run, step);
    const struct snapshot_step *s = row_of_step(h, run, step);
    return r   ? machine_state_name(&MACHINE_STEP, r->state)
           : s ? machine_state_name(&MACHINE_STEP, s->state)
               : "-";
}

static inline const char *run_is(struct harness *h, struct uuid run)
{
    const struct snapshot_run *r = row_of_run(h, run);
    return r ? machine_state_name(&MACHINE_RUN, r->state) : "-";
}

/* The newest start of the step ends so. */
static inline void finish(struct harness *h, int w, const char *step, int outcome,
                          const char *outputs)
{
    struct order *o = order_of(h, ORDER_KIND_START, step);
    assert_non_null(o);
    harness_finished(h, w, o, outcome, outputs);
    harness_settle(h);
}

static inline struct core_stats stats_of(const struct harness *h)
{
    struct core_stats s;
    core_stats(h->core, &s);
    return s;
}

#define SUCCEEDED REPORT_RESULT_OUTCOME_SUCCEEDED
#define FAILED    REPORT_RESULT_OUTCOME_FAILED

static inline const struct snapshot_result *result(struct harness *h, struct uuid run, int step)
{
    const struct snapshot_result *r = row_of_result(h, run, step);
    if (!r)
        fail_msg("step %d has no result", step);
    return r;
}

static inline void outputs_are(struct harness *h, struct uuid run, int step, const char *want)
{
    char *text = json_write(result(h, run, step)->outputs);
    assert_string_equal(text, want);
    free(text);
}

static inline void says(const char *reason, const char *part)
{
    if (!strstr(reason, part))
        fail_msg("'%s' does not say '%s'", reason, part);
}

static inline void reason_has(struct harness *h, struct uuid run, int step, const char *part)
{
    says(result(h, run, step)->reason, part);
}

static inline size_t starts_of(const struct harness *h, const char *step)
{
    size_t n = 0;
    for (size_t i = 0; i < h->order_count; i++)
        n += h->orders[i].kind == ORDER_KIND_START && strcmp(h->orders[i].start->step, step) == 0;
    return n;
}

/* The nth start of that step ends so. */
static inline void finish_nth(struct harness *h, const char *step, size_t nth, int outcome,
                              const char *outputs)
{
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && strcmp(h->orders[i].start->step, step) == 0 &&
            nth-- == 0) {
            harness_finished(h, 0, &h->orders[i], outcome, outputs);
            harness_settle(h);
            return;
        }
    fail_msg("%s was not started so often", step);
}

/* ---- fixtures ------------------------------------------------------------------------------ */

static inline int harness_setup(void **state)
{
    *state = harness_new();
    return 0;
}

/* With a worker that has room for all. */
static inline int harness_setup_worker(void **state)
{
    *state = harness_new();
    harness_hello(*state, 0, 1000, NULL, 0);
    return 0;
}

static inline int harness_teardown(void **state)
{
    harness_free(*state);
    return 0;
}

/* A run of the file. */
static inline struct uuid harness_begin(struct harness *h, const char *yaml)
{
    harness_apply(h, yaml);
    return harness_run(h, "p", 1);
}
