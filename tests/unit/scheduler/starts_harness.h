/* tests/unit/scheduler/starts_harness.h: runs that a step has started, for tests of those. */
#pragma once
#include "tests/unit/scheduler/core_harness.h"

static const char REPORT[] = "name: report\n"
                             "params: {day: {type: string}}\n"
                             "steps:\n"
                             "  count: {command: [count, \"${{ params.day }}\"], outputs: {pages: "
                             "{type: integer}, text: {type: string, optional: true}}}\n"
                             "outputs: {pages: count.pages, text: count.text}\n";

static inline struct uuid begin(struct harness *h, const char *steps)
{
    cleanup_free char *yaml = mem_printf("name: p\nsteps:\n%s", steps);
    harness_apply(h, yaml);
    return harness_run(h, "p", 1);
}

/* The nth run that a step started. */
static inline struct uuid child(struct harness *h, size_t nth)
{
    if (nth >= h->rows->starts_count)
        fail_msg("%zu runs were started", h->rows->starts_count);
    return h->rows->starts[nth].child;
}

static const char CHILD[] =
    "  child: {start: {pipeline: report, params: {day: monday}, name: \"report of ${{ run.name "
    "}}\"}, outputs: {pages: {type: number}}}\n"
    "  then: {command: [x, \"${{ steps.child.outputs.pages }}\", \"${{ steps.child.outputs.state "
    "}}\"]}\n";

static inline struct uuid started(struct harness *h)
{
    harness_apply(h, REPORT);
    struct uuid run = begin(h, CHILD);
    assert_string_equal(step_is(h, run, 0), "running");
    assert_string_equal(run_is(h, child(h, 0)), "running");
    return run;
}

static const char ONE[] = "name: one\nsteps: {a: {command: [a]}}\n";
