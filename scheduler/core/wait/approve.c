/* Steps that wait for the answer of a person. */
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

static bool is_said(const char *text)
{
    return text && *text;
}

/* ---- what is asked, and of whom ------------------------------------------------------------ */

/* "anna, bruno or carla"; nobody in particular is "anybody". */
static void put_who(const struct ir_approval *def, struct text *to)
{
    for (size_t i = 0; i < def->by_count; i++)
        text_printf(to, "%s%s", i == 0 ? "" : i + 1 < def->by_count ? ", " : " or ", def->by[i]);
    if (def->by_count == 0)
        text_puts(to, "anybody who may approve");
}

char *approval_question(const struct await *a, struct err *err)
{
    const struct ir_approval *def = a->def->approval;
    cleanup_text struct text out = {0};
    cleanup_free char *message = NULL;
    struct view view;
    if (def->message) {
        view_open(&view, a->at, order_sees_template(def->message), NULL);
        message = template_eval(def->message, &view.vars, err);
        view_close(&view);
        if (!message) {
            err_wrap(err, "message");
            return NULL;
        }
    }
    text_puts(&out, "waits for an answer of ");
    put_who(def, &out);
    if (is_said(message) && !plant_on(PLANT_QUESTION_WITHOUT_MESSAGE))
        text_printf(&out, ": %s", message);
    return mem_string(out.data);
}

void approval_list(struct await *a)
{
    DL_APPEND(ref_run(a->at)->asked, a);
}

void approval_unlist(struct await *a)
{
    DL_DELETE(ref_run(a->at)->asked, a);
}

/* ---- its end ------------------------------------------------------------------------------- */

static json_t *outputs_of(const char *answer, const char *by, const char *comment)
{
    json_t *outputs = json_pack("{s:s}", "answer", answer);
    if (is_said(by))
        json_object_set_new(outputs, "by", json_string(by));
    if (is_said(comment))
        json_object_set_new(outputs, "comment", json_string(comment));
    return outputs;
}

void approval_timeout_due(struct core *core, struct await *a, const struct core_now *now,
                          struct batch *out)
{
    static const int ENDS_AS[] = {[IR_TIMEOUT_FAIL] = STEP_FAILED,
                                  [IR_TIMEOUT_SKIP] = STEP_SKIPPED,
                                  [IR_TIMEOUT_APPROVE] = STEP_SUCCEEDED};
    const int state = ENDS_AS[a->def->approval->on_timeout];
    json_t *outputs cleanup_json =
        state == STEP_SUCCEEDED ? outputs_of("approved", NULL, NULL) : NULL;
    cleanup_free char *length = run_duration_text(a->def->timeout_us);
    cleanup_free char *reason = mem_printf(RUN_TIMED_OUT " %s: nobody has answered", length);
    await_end(core, a, state, outputs, reason, now, out);
}

static void reject(struct core *core, struct await *a, const struct command *c,
                   const struct core_now *now, struct batch *out)
{
    json_t *outputs cleanup_json = outputs_of("rejected", c->by, c->comment);
    const bool named = is_said(c->by), said = is_said(c->comment);
    cleanup_free char *reason =
        mem_printf("rejected%s%s%s%.600s", named ? " by " : "", named ? c->by : "",
                   said ? ": " : "", said ? c->comment : "");
    await_end(core, a, STEP_FAILED, outputs, reason, now, out);
}

/* ---- an answer ----------------------------------------------------------------------------- */

static int run_asked(struct core *core, const struct command *c, struct run **run, struct err *err)
{
    const int state = run_over_state(core, &c->run);
    *run = run_find(core, &c->run);
    if (*run && (*run)->broken)
        return err_set(err, LEAT_EREFUSED, "%s", (*run)->version->broken);
    if (*run && (*run)->state != RUN_PENDING && (*run)->state != RUN_QUEUED)
        return 0;
    if (*run)
        return err_set(err, LEAT_EREFUSED, "the run has not begun");
    if (state >= 0)
        return err_set(err, LEAT_EREFUSED, "the run is over already: %s",
                       machine_state_name(&MACHINE_RUN, state));
    return err_set(err, LEAT_EREFUSED, "there is no such run");
}

static int step_asked(const struct run *run, const struct command *c, int32_t *step,
                      struct err *err)
{
    const struct ir *ir = run->version->ir;
    if (!is_said(c->step))
        return err_set(err, LEAT_EREFUSED, "no step is named");
    *step = ir_step_index(ir, c->step);
    if (*step < 0)
        return err_set(err, LEAT_EREFUSED, "the run has no step %.200s", c->step);
    if (ir->steps[*step].kind != IR_STEP_APPROVAL)
        return err_set(err, LEAT_EREFUSED, "step %s waits for no person", c->step);
    return 0;
}

static int is_not_waiting(const struct run *run, const struct ir_step *def, struct err *err)
{
    const char *state = def->parent < 0
                            ? machine_state_name(&MACHINE_STEP, run->root.steps[def->place].state)
                            : NULL;
    return err_set(err, LEAT_EREFUSED, "step %s does not wait for an answer%s%s", def->name,
                   state ? ": it is " : "", state ? state : "");
}

/* O(approvals that are open in the run). */
static int find_open(const struct run *run, const struct command *c, int32_t step,
                     struct await **found, struct err *err)
{
    const struct ir_step *def = &run->version->ir->steps[step];
    struct await *a;
    int open = 0;
    *found = NULL;
    DL_FOREACH (run->asked, a) {
        if (ref_index(a->at) != step || (c->iteration && c->iteration != ref_iteration(a->at)))
            continue;
        open++;
        *found = a;
    }
    if (open == 0)
        return is_not_waiting(run, def, err);
    if (open > 1)
        return err_set(err, LEAT_EREFUSED,
                       "%d instances of step %s wait for an answer: say which, %s[ITERATION]", open,
                       def->name, def->name);
    if (frame_stops((*found)->at))
        return err_set(err, LEAT_EREFUSED, "step %s is being cancelled", def->name);
    return 0;
}

static int check_who(const struct ir_step *def, const char *by, struct err *err)
{
    cleanup_text struct text who = {0};
    for (size_t i = 0; i < def->approval->by_count; i++)
        if (by && strcmp(def->approval->by[i], by) == 0)
            return 0;
    if (def->approval->by_count == 0 || plant_on(PLANT_ANSWERED_BY_ANYBODY))
        return 0;
    put_who(def->approval, &who);
    return err_set(err, LEAT_EREFUSED, "%.300s may answer step %s, not %.100s", who.data, def->name,
                   is_said(by) ? by : "somebody without a name");
}

#ifdef LEAT_PLANTS
/* An answer to a step that does not wait any more. */
static bool answer_planted(const struct run *run, const struct command *c, int32_t step,
                           const struct core_now *now, struct batch *out)
{
    if (!run || step < 0 || run->version->ir->steps[step].parent >= 0)
        return false;
    const struct step_ref at = {(struct frame *)(uintptr_t)&run->root,
                                run->version->ir->steps[step].place};
    const int state = ref_step(at)->state;
    if (state != STEP_SUCCEEDED && state != STEP_FAILED)
        return false;
    if (plant_on(PLANT_ANSWERED_TWICE))
        step_write_result_again(
            at, c->answer == COMMAND_ANSWER_APPROVED ? STEP_SUCCEEDED : STEP_FAILED, now, out);
    return plant_on(PLANT_ANSWER_TO_WHAT_IS_OVER);
}
#endif

int approval_answer(struct core *core, const struct command *command, const struct core_now *now,
                    struct batch *out, struct err *err)
{
    struct run *run = NULL;
    struct await *a = NULL;
    int32_t step = -1;
    int rc = run_asked(core, command, &run, err);
    if (rc == 0)
        rc = step_asked(run, command, &step, err);
    if (rc == 0)
        rc = find_open(run, command, step, &a, err);
    if (rc == 0)
        rc = check_who(&run->version->ir->steps[step], command->by, err);
    if (rc == 0 && command->answer == COMMAND_ANSWER_NONE)
        rc = err_set(err, LEAT_EREFUSED, "answer: approved or rejected");
#ifdef LEAT_PLANTS
    if (rc < 0 && answer_planted(run, command, step, now, out))
        return 0;
#endif
    if (rc < 0)
        return rc;
    if (command->answer == COMMAND_ANSWER_REJECTED) {
        reject(core, a, command, now, out);
        return 0;
    }
    json_t *outputs cleanup_json = outputs_of("approved", command->by, command->comment);
    await_end(core, a, STEP_SUCCEEDED, outputs, NULL, now, out);
    return 0;
}
