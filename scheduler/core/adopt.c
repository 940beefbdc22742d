#include "scheduler/core/adopt.h"

#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "scheduler/core/runs.h"
#include "scheduler/core/steps.h"

/* Marks the step and everything after it. */
static void mark_from(const struct ir *ir, int32_t from, uint8_t *anew)
{
    cleanup_free int32_t *todo = mem_array(ir->step_count, sizeof *todo);
    size_t count = 0;
    anew[from] = 1;
    todo[count++] = from;
    while (count) {
        const struct ir_step *def = &ir->steps[todo[--count]];
        for (size_t d = 0; d < def->dependent_count; d++)
            if (!anew[def->dependents[d]]) {
                anew[def->dependents[d]] = 1;
                todo[count++] = def->dependents[d];
            }
    }
}

void adopt_begin(struct core *core, struct run *run, struct learned *from)
{
    const struct ir *ir = run->version->ir;
    run->adopting = true;
    run->adopts = from;
    run->adopted = 0;
    if (from)
        from->refs++;
    run->anew = mem_array(ir->step_count + 1, 1);
    int32_t step = run->retry_from ? ir_step_index(ir, run->retry_from) : -1;
    if (step >= 0)
        mark_from(ir, step, run->anew);
    DL_APPEND2(core->adopting, run, adopt_prev, adopt_next);
}

void adopt_forget(struct core *core, struct run *run)
{
    if (!run->adopting)
        return;
    DL_DELETE2(core->adopting, run, adopt_prev, adopt_next);
    run->adopting = false;
    free(TAKE(run->anew));
    if (run->adopts)
        run->adopts->refs--;
    run->adopts = NULL;
    core->sweep_catalog = true;
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static void take(struct core *core, struct run *run, const struct learned_result *result,
                 const struct core_now *now, struct batch *out)
{
    const struct ir *ir = run->version->ir;
    if (result->state != STEP_SUCCEEDED || result->step < 0 ||
        result->step >= (int32_t)ir->step_count || run->anew[result->step])
        return;
    const struct ir_step *def = &ir->steps[result->step];
    const struct step_ref at = {&run->root, def->place};
    if (def->parent >= 0 || def->finally || step_is_over(ref_step(at)))
        return; /* groups as a whole; what is finally runs after every run */
    char old[UUID_TEXT];
    uuid_format(&run->adopts->id, old);
    cleanup_free char *reason = mem_printf("adopted from %s", old);
    step_end(core, at,
             &(struct step_end){.state = STEP_SUCCEEDED,
                                .attempt = result->attempt,
                                .attempt_id = result->attempt_id,
                                .reason = reason,
                                .outputs = result->outputs,
                                .metrics = result->metrics,
                                .log = result->log},
             now, out);
    const struct batch_result *row = &out->results[out->results_count - 1];
    core->batch_bytes += length(row->outputs) + length(row->metrics) + length(row->log);
}

bool adopt_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct run *run = core->adopting;
    if (!run)
        return false;
    if (run->adopts && run->adopted < run->adopts->result_count) {
        take(core, run, &run->adopts->results[run->adopted++], now, out);
        return true;
    }
    adopt_forget(core, run);
    run_take_turn(core, run, now, out);
    return true;
}
