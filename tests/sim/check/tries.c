/* Steps are tried as often as their file says: what failed or timed out counts, as far as it is
 * meant, what was lost is counted apart. Held against what workers said of each attempt, and what
 * they did not. */
#include <stdlib.h>
#include <string.h>
#include "common/base/text.h"
#include "schema/gen/messages.h"
#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id)         uuid_short(&(id), (char[UUID_TEXT]){0})
#define LOST_BEFORE_LEAVE 5 /* at_most_once: docs/pipelines.md */

static const struct plan_step *step_of(struct sim *sim, const struct row_key *key)
{
    const struct plan_version *v = check_version_of(sim, &key->run);
    return &v->steps[v->step_at[key->step]];
}

/* ---- what workers said ----------------------------------------------------------------------- */

void check_said(struct sim *sim, const struct uuid *attempt, const struct report_result *result)
{
    struct placing *placing = ledger_placing(sim->ledger, attempt);
    if (placing->said != REPORT_RESULT_OUTCOME_NONE && placing->said != (int)result->outcome)
        sim_fail(sim, 0, "a worker says that attempt %s %s, and that it %s", SHORT(*attempt),
                 report_result_outcome_name(placing->said),
                 report_result_outcome_name((int)result->outcome));
    placing->said = (int)result->outcome;
    sim->counts.not_declared += placing->said == REPORT_RESULT_OUTCOME_FAILED && !result->exit_code;
    placing->code = (int)result->exit_code;
    snprintf(placing->reason, sizeof placing->reason, "%s", result->reason);
    if (!*result->reason && placing->said == REPORT_RESULT_OUTCOME_FAILED)
        snprintf(placing->reason, sizeof placing->reason, "exit code %d", placing->code);
}

/* How the attempt of that row ended. Without an exit code the leader judged, and it is lost. */
struct ended {
    const struct placing *placing;
    int outcome, code;
};

static struct ended ended_as(struct sim *sim, const struct uuid *attempt, int32_t exit_code,
                             const char *reason)
{
    const struct placing *placing = ledger_placing(sim->ledger, attempt);
    struct ended end = {placing, REPORT_RESULT_OUTCOME_LOST, exit_code};
    if (exit_code == INT32_MIN)
        return end;
    if (placing->said == REPORT_RESULT_OUTCOME_NONE || placing->code != exit_code)
        sim_fail(sim, 3, "attempt %s has exit code %d in its row, and no worker says so",
                 SHORT(*attempt), exit_code);
    if (!reason || !strstr(reason, placing->reason))
        sim_fail(sim, 3, "attempt %s ended since '%s', its worker said '%s'", SHORT(*attempt),
                 reason ? reason : "", placing->reason);
    end.outcome = placing->said;
    return end;
}

static bool is_lost(const struct ended *end)
{
    return end->outcome != REPORT_RESULT_OUTCOME_FAILED &&
           end->outcome != REPORT_RESULT_OUTCOME_TIMED_OUT;
}

/* ---- how often ------------------------------------------------------------------------------- */

struct tally {
    int failed, lost;
};

static struct tally before(const struct sim *sim, const struct row_key *key)
{
    struct tally t = {0};
    for (const struct row_attempt *row = sim->db->attempts; row; row = row->hh.next) {
        if (memcmp(&row->key, key, sizeof *key) != 0)
            continue;
        const bool failed = row->state == ATTEMPT_FAILED || row->state == ATTEMPT_TIMED_OUT;
        t.failed += failed;
        t.lost += !failed;
    }
    return t;
}

/* Before its leave, or for sure not begun. */
static bool once_more(const struct ended *end, const struct tally *t)
{
    return is_lost(end) && t->lost < LOST_BEFORE_LEAVE &&
           (!end->placing->leave || end->outcome == REPORT_RESULT_OUTCOME_REFUSED);
}

static bool is_tried_again(const struct plan_step *s, const struct ended *end,
                           const struct tally *t)
{
    if (s->at_most_once)
        return once_more(end, t);
    if (!plan_is_meant(s, end->outcome, end->code))
        return false;
    return is_lost(end) ? t->lost < s->lost : t->failed + 1 < s->attempts;
}

void check_counted(struct sim *sim, const struct batch_step *step)
{
    const struct row_key key = {step->run, step->step, step->iteration};
    const struct tally t = before(sim, &key);
    if (step->lost != t.lost)
        sim_fail(sim, 3, "%d attempts of step %s of run %s were lost, and its row says %d", t.lost,
                 step_of(sim, &key)->name, SHORT(key.run), step->lost);
}

/* Another is to follow. */
void check_tried(struct sim *sim, const struct batch_attempt *row)
{
    const struct row_key key = {row->run, row->step, row->iteration};
    const struct plan_step *s = step_of(sim, &key);
    const struct ended end = ended_as(sim, &row->attempt_id, row->exit_code, row->reason);
    const struct tally t = before(sim, &key);
    const int want = end.outcome == REPORT_RESULT_OUTCOME_FAILED      ? ATTEMPT_FAILED
                     : end.outcome == REPORT_RESULT_OUTCOME_TIMED_OUT ? ATTEMPT_TIMED_OUT
                                                                      : ATTEMPT_LOST;
    if (row->state != want)
        sim_fail(sim, 3, "attempt %s is %s in its row, and was %s", SHORT(row->attempt_id),
                 machine_state_name(&MACHINE_ATTEMPT, row->state),
                 machine_state_name(&MACHINE_ATTEMPT, (uint8_t)want));
    if (!is_tried_again(s, &end, &t))
        sim_fail(sim, 3,
                 "step %s of run %s is tried again after attempt %s, %s (%d), with %d failed and "
                 "%d lost before it",
                 s->name, SHORT(key.run), SHORT(row->attempt_id),
                 report_result_outcome_name(end.outcome), end.code, t.failed, t.lost);
}

/* What it is told with: how many were lost. */
static void check_lost_told(struct sim *sim, const struct batch_result *result, int lost)
{
    const char *told = strstr(result->reason, " attempts were lost; the last: ");
    const long n = told ? strtol(result->reason, NULL, 10) : 1;
    if (n != lost && !strstr(result->reason, "it may have run"))
        sim_fail(sim, 3, "%d attempts of step %d of run %s were lost, it says '%s'", lost,
                 result->step, SHORT(result->run), result->reason);
}

/* The last one. */
void check_tries(struct sim *sim, const struct batch_result *result)
{
    const struct row_key key = {result->run, result->step, result->iteration};
    const struct plan_step *s = step_of(sim, &key);
    if (s->kind != PLAN_RUN || result->state != STEP_FAILED || uuid_is_nil(&result->attempt_id) ||
        text_starts_with(result->reason, "adopted from ")) /* it was tried in that run */
        return;
    const struct ended end = ended_as(sim, &result->attempt_id, result->exit_code, result->reason);
    const struct tally t = before(sim, &key);
    if (end.outcome == REPORT_RESULT_OUTCOME_SUCCEEDED ||
        end.outcome == REPORT_RESULT_OUTCOME_CANCELLED)
        sim_fail(sim, 3, "step %s of run %s is failed by attempt %s, which %s", s->name,
                 SHORT(key.run), SHORT(result->attempt_id),
                 report_result_outcome_name(end.outcome));
    /* It may have asked in the very batch in which it was judged. */
    const bool asked = s->at_most_once && strstr(result->reason, "it may have run");
    if (is_tried_again(s, &end, &t) && !asked)
        sim_fail(sim, 3,
                 "step %s of run %s is failed by attempt %s, %s (%d), with %d failed and %d lost "
                 "before it: it has tries left",
                 s->name, SHORT(key.run), SHORT(result->attempt_id),
                 report_result_outcome_name(end.outcome), end.code, t.failed, t.lost);
    if (is_lost(&end))
        check_lost_told(sim, result, t.lost + 1);
    sim->counts.lost_too_often += is_lost(&end) && t.lost == s->lost && !s->at_most_once;
    sim->counts.not_meant += !plan_is_meant(s, end.outcome, end.code);
}

/* ---- groups, and what starts runs ------------------------------------------------------------ */

static bool whole_is_meant(const struct plan_step *s, const char *reason)
{
    return s->again & (check_timed_out(reason) ? PLAN_AGAIN_TIMED_OUT : PLAN_AGAIN_FAILED);
}

void check_whole_tried(struct sim *sim, const struct batch_step *step)
{
    const struct row_key key = {step->run, step->step, step->iteration};
    const struct plan_step *s = step_of(sim, &key);
    const char *why = step->reason ? strstr(step->reason, ": ") : NULL;
    if (step->state != STEP_WAITING || !why || !text_starts_with(step->reason, "tried again after"))
        return;
    if (step->attempt >= s->attempts || !whole_is_meant(s, why + 2))
        sim_fail(sim, 3, "step %s of run %s is tried again after try %d: %s", s->name,
                 SHORT(key.run), step->attempt, why + 2);
}

bool check_whole_is_spent(const struct plan_step *s, const struct row_result *result)
{
    return result->attempt == s->attempts || !whole_is_meant(s, result->reason);
}
