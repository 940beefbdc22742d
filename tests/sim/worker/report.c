/* What a worker sends: numbered, kept until a grant acknowledges it, sent again in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include <jansson.h>
#include "common/base/abilities.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "schema/gen/messages.h"
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/worker/worker.h"

#define HEARTBEAT_US (2 * SEC)
#define SIGNALLED    143
#define RESEND_US    (500 * MS)
#define UNACKED_MAX  40 /* above it no heartbeat is made: the bus is away */

static void resend_due(void *arg)
{
    struct worker *w = arg;
    w->resending = false;
    if (w->up)
        report_resend(w);
}

static void delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)partition;
    (void)offset;
    struct worker *w = arg;
    if (!err || w->resending)
        return;
    w->resending = true;
    sim_at(w->sim, w->proc, RESEND_US, resend_due, w);
}

static void publish(struct worker *w, const struct sent *sent)
{
    bus_publish(w->bus, TOPIC_REPORTS, w->id, strlen(w->id), sent->text, sent->len, 0, delivered,
                w);
}

void report_resend(struct worker *w)
{
    struct sent *sent;
    DL_FOREACH (w->unacked, sent)
        publish(w, sent);
}

static void send(struct worker *w, struct report *report)
{
    struct sent *sent = mem_alloc(sizeof *sent);
    report->v = 1;
    report->worker = w->id;
    report->incarnation = w->incarnation;
    report->n = ++w->n;
    sent->n = report->n;
    sent->text = report_encode(report, &sent->len);
    DL_APPEND(w->unacked, sent);
    w->unacked_count++;
    publish(w, sent);
}

void report_hello(struct worker *w)
{
    static const char *executors[] = {"noop", "process"};
    const char *abilities[ABILITY_COUNT];
    memcpy(abilities, ABILITY_TEXTS, sizeof abilities);
    struct held_attempt held[128];
    struct report_hello hello = {.boot = w->boot,
                                 .slots = w->slots,
                                 .pool = plan_pool_name(w->pool),
                                 .executors = executors,
                                 .executors_count = ARRAY_LEN(executors),
                                 .abilities = abilities,
                                 .abilities_count = ABILITY_COUNT,
                                 .workspace = "/sim",
                                 .held = held,
                                 .orders = w->orders_next,
                                 .epoch = w->epoch};
    struct local *a;
    DL_FOREACH (w->attempts, a)
        if (a->state != LOCAL_TOMBSTONE && hello.held_count < ARRAY_LEN(held))
            held[hello.held_count++] = (struct held_attempt){a->id, a->nonce};
    sim_note(w->sim, "%s: hello, holds %zu", w->id, hello.held_count);
    send(w, &(struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
}

void report_started(struct worker *w, const struct local *a)
{
    send(w, &(struct report){.kind = REPORT_KIND_STARTED, .attempt = a->id, .nonce = a->nonce});
}

void report_ask(struct worker *w, const struct local *a)
{
    send(w, &(struct report){.kind = REPORT_KIND_ASK, .attempt = a->id, .nonce = a->nonce});
}

/* Some are told of before they start, as images are pulled; it must change no outcome. */
void report_note(struct worker *w, const struct local *a)
{
    if (a->id.b[15] & 3)
        return;
    send(w, &(struct report){.kind = REPORT_KIND_PROGRESS,
                             .attempt = a->id,
                             .nonce = a->nonce,
                             .note = a->id.b[15] & 4 ? "pulling image i: 2 of 5 layers" : ""});
}

static int exit_code_of(const struct local *a)
{
    if (a->outcome == REPORT_RESULT_OUTCOME_SUCCEEDED)
        return 0;
    if (a->outcome == REPORT_RESULT_OUTCOME_FAILED)
        return a->will_fail ? a->exit_code : 0;
    return a->effect && a->outcome != REPORT_RESULT_OUTCOME_LOST ? SIGNALLED : -1;
}

/* Some programs leave it to the leader to say what an exit code is. */
static const char *reason_of(const struct local *a, char out[48])
{
    char id[UUID_TEXT];
    *out = '\0';
    if (a->outcome == REPORT_RESULT_OUTCOME_FAILED && !a->will_fail)
        return a->complaint;
    if (a->outcome != REPORT_RESULT_OUTCOME_FAILED || a->exit_code < 2)
        snprintf(out, 48, "as %s had it on %s", uuid_short(&a->id, id), a->worker->id);
    return out;
}

void report_finished(struct worker *w, struct local *a)
{
    char at[CLOCK_TEXT], id[UUID_TEXT];
    json_t *outputs =
        a->outcome == REPORT_RESULT_OUTCOME_SUCCEEDED ? check_outputs(w->sim, a->effect) : NULL;
    char reason[48];
    struct report_result result = {.outcome = a->outcome,
                                   .exit_code = exit_code_of(a),
                                   .reason = reason_of(a, reason),
                                   .outputs = outputs};
    check_said(w->sim, &a->id, &result);
    clock_format(WALL_START + w->sim->now, at);
    a->state = LOCAL_FINISHED;
    sim_note(w->sim, "%s: %s finished, %s", w->id, uuid_short(&a->id, id),
             report_result_outcome_name(a->outcome));
    send(w, &(struct report){.kind = REPORT_KIND_FINISHED,
                             .attempt = a->id,
                             .nonce = a->nonce,
                             .at = at,
                             .result = &result});
    a->report_n = w->n;
    json_decref(outputs);
    sim_changed(w->sim);
}

void report_heartbeat(void *arg)
{
    struct worker *w = arg;
    if (!w->up)
        return;
    sim_at(w->sim, w->proc, HEARTBEAT_US, report_heartbeat, w);
    local_look(w);
    if (w->silent || w->unacked_count > UNACKED_MAX)
        return;
    w->heartbeat++;
    w->heartbeat_sent[w->heartbeat % 64] = w->sim->now;
    send(w, &(struct report){.kind = REPORT_KIND_HEARTBEAT,
                             .heartbeat = w->heartbeat,
                             .orders = w->orders_next});
}

/* Reports that must change nothing: a nonce that was never given, an attempt that nobody knows, an
 * end told twice, a number far ahead, a number long gone. */
void report_forged(struct worker *w)
{
    struct rng *rng = &w->sim->rng;
    struct local *a = w->attempts;
    struct report_result result = {.outcome = REPORT_RESULT_OUTCOME_SUCCEEDED};
    struct report report = {
        .kind = REPORT_KIND_FINISHED, .attempt = rng_uuid(rng), .nonce = 7, .result = &result};
    for (int64_t skip = rng_in(rng, 0, 5); a && skip; skip--)
        a = a->next;
    if (a) {
        report.attempt = a->id;
        /* One that was cancelled before it came is still live for the leader. */
        const bool known = a->state == LOCAL_TOMBSTONE && a->effect;
        report.nonce = known ? a->nonce : a->nonce + rng_in(rng, 1, 9);
    }
    if (rng_chance(rng, 0.5)) {
        send(w, &report);
        return;
    }
    struct report lie = report;
    lie.v = 1;
    lie.worker = w->id;
    lie.incarnation = w->incarnation;
    /* Long gone is what is acknowledged: a number that is still on its way would be taken for it.
     */
    const int64_t gone = w->unacked ? w->unacked->n - 1 : w->n;
    const int64_t ahead = w->n + rng_in(rng, 50, 90);
    lie.n = rng_chance(rng, 0.5) || gone < 1 ? ahead : gone > 3 ? gone - 3 : 1;
    size_t len;
    cleanup_free char *text = report_encode(&lie, &len);
    bus_publish(w->bus, TOPIC_REPORTS, w->id, strlen(w->id), text, len, 0, delivered, w);
}

static void drop_sent(struct worker *w, struct sent *sent)
{
    DL_DELETE(w->unacked, sent);
    w->unacked_count--;
    free(sent->text);
    free(sent);
}

void report_acknowledge(struct worker *w, int64_t committed, int64_t heartbeat)
{
    while (w->unacked && w->unacked->n <= committed)
        drop_sent(w, w->unacked);
    local_acknowledged(w, committed);
    if (heartbeat > 0 && w->heartbeat - heartbeat < 64) {
        int64_t end = w->heartbeat_sent[heartbeat % 64] + w->sim->lease_us;
        if (end > w->lease_end)
            w->lease_end = w->fuse_base = end;
    }
    int64_t low = w->unacked ? w->unacked->n : 0;
    w->grants_idle = low && low == w->acked_low ? w->grants_idle + 1 : 0;
    w->acked_low = low;
    if (w->grants_idle >= 3) {
        w->grants_idle = 0;
        report_resend(w);
    }
}

void report_forget(struct worker *w)
{
    while (w->unacked)
        drop_sent(w, w->unacked);
    w->acked_low = 0;
    w->grants_idle = 0;
    w->resending = false;
}
