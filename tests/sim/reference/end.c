/* A whole run: every instance of every step, what groups collect, the state of the run. */
#include <assert.h>
#include <string.h>
#include "common/base/mem.h"
#include "common/base/text.h"
#include "tests/sim/check/check.h"
#include "tests/sim/check/starts.h"
#include "tests/sim/reference/internal.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

struct outcome {
    bool failed, cancelled;
};

/* ---- a whole run ----------------------------------------------------------------------------- */

static struct outcome dag_outcome(const struct scene *at, bool may_stop);

static struct scene inside(const struct scene *at, int step, const struct row_group *start,
                           int ordinal)
{
    struct scene in = *at;
    in.parent = step;
    in.branch = start->branch;
    in.start = start;
    in.iteration = start->first + ordinal;
    return in;
}

static bool has_begun(const struct scene *at)
{
    for (int i = 0; i < at->v->step_count; i++)
        if (scene_has(at, i) && scene_result(at, i))
            return true;
    return false;
}

static void wrong(const struct scene *at, int step, const char *what)
{
    const struct row_result *is = scene_result(at, step);
    sim_fail(at->sim, 3, "step %s of run %s, iteration %d, is %s (%s): %s", at->v->steps[step].name,
             SHORT(at->run), at->iteration,
             is ? machine_state_name(&MACHINE_STEP, is->state) : "without a result",
             is ? is->reason : "", what);
}

/* What a DAG gives as n: a new reference, or NULL. */
static json_t *given(const struct scene *in)
{
    const int from = in->v->steps[in->parent].gives[in->branch];
    return from >= 0 ? scene_output(in, from) : NULL;
}

struct tally {
    int begun, failed, cancelled, good;
    int last;     /* ordinal that began last */
    uint64_t bad; /* a bit for each ordinal that failed */
};

static struct tally look_at_try(const struct scene *at, int step, const struct row_group *start,
                                bool may_stop)
{
    struct tally t = {.last = -1};
    for (int o = 0; o < start->count; o++) {
        const struct scene in = inside(at, step, start, o);
        if (!has_begun(&in))
            continue;
        const struct outcome was = dag_outcome(&in, may_stop);
        t.begun++;
        t.last = o;
        t.failed += was.failed;
        assert(o < 64);
        t.bad |= (uint64_t)was.failed << o;
        t.cancelled += was.cancelled && !was.failed;
        t.good += !was.failed && !was.cancelled;
    }
    return t;
}

/* Does its condition hold after that round? */
static int round_holds(const struct scene *at, int step, const struct row_group *start, int o)
{
    const struct plan_step *s = &at->v->steps[step];
    const struct scene in = inside(at, step, start, o), before = inside(at, step, start, o - 1);
    json_t *n = given(&in), *former = o > 0 ? given(&before) : NULL;
    const bool same = s->until_same && former && json_equal(n, former);
    const int holds = n ? json_integer_value(n) > s->until_over || same : CANNOT_SAY;
    json_decref(n);
    json_decref(former);
    return holds;
}

/* All is well in it, and it fails all the same: after its last round, or one that says nothing. */
static bool loop_is_spent(const struct scene *at, int step, const struct row_group *start,
                          const struct tally *t)
{
    if (at->v->steps[step].kind != PLAN_LOOP || t->last < 0 || t->good != t->begun)
        return false;
    const int holds = round_holds(at, step, start, t->last);
    return holds == CANNOT_SAY || (t->good == start->count && !holds);
}

/* What the item gives as d: a new reference. A list carries no names. */
static json_t *folder_given(const struct scene *in)
{
    json_t *d = scene_output_named(in, in->v->steps[in->parent].gives_folder, "d");
    if (json_is_object(d))
        json_object_del(d, "names");
    return d ? d : json_null();
}

static json_t *folders_expected(const struct scene *at, int step, const struct row_group *start)
{
    json_t *list = json_array();
    for (int o = 0; start && o < start->count; o++) {
        const struct scene in = inside(at, step, start, o);
        json_array_append_new(list, folder_given(&in));
    }
    return list;
}

/* Of each item an element, null where it did not give it. */
static json_t *list_expected(const struct scene *at, int step, const struct row_group *start,
                             int from, const char *name)
{
    json_t *list = json_array();
    for (int o = 0; start && o < start->count; o++) {
        const struct scene in = inside(at, step, start, o);
        json_t *one = from >= 0 ? scene_output_named(&in, from, name) : NULL;
        json_array_append_new(list, one ? one : json_null());
    }
    return list;
}

/* A step that waits, in one entry with for_each, gives more than a file says. */
static void add_waited(const struct scene *at, int step, const struct row_group *start, json_t *all)
{
    static const struct {
        enum plan_kind kind;
        const char *name;
    } MORE[] = {{PLAN_WAIT, "event"},       {PLAN_APPROVAL, "answer"}, {PLAN_APPROVAL, "by"},
                {PLAN_APPROVAL, "comment"}, {PLAN_START, "run"},       {PLAN_START, "state"}};
    const int in = at->v->steps[step].direct ? plan_inside(at->v, step) : -1;
    for (size_t i = 0; in >= 0 && i < sizeof MORE / sizeof *MORE; i++)
        if (at->v->steps[in].kind == MORE[i].kind)
            json_object_set_new(all, MORE[i].name,
                                list_expected(at, step, start, in, MORE[i].name));
}

static json_t *expected_outputs(const struct scene *at, int step, const struct row_group *start,
                                int last)
{
    const struct plan_step *s = &at->v->steps[step];
    json_t *all = json_object();
    if (s->kind == PLAN_EACH) {
        if (s->gives[0] >= 0 && reference_gives(at->sim, at->v, &at->run, step, true))
            json_object_set_new(all, "n", list_expected(at, step, start, s->gives[0], "n"));
        if (s->gives_folder >= 0 && reference_gives(at->sim, at->v, &at->run, step, false))
            json_object_set_new(all, "d", folders_expected(at, step, start));
        add_waited(at, step, start, all);
        return all;
    }
    const struct scene in = inside(at, step, start, last);
    json_t *n = given(&in), *d = s->gives_folder >= 0 ? folder_given(&in) : NULL;
    if (n)
        json_object_set_new(all, "n", n);
    if (json_is_object(d))
        json_object_set(all, "d", d);
    json_decref(d);
    return all;
}

/* An item that failed gives nothing, whatever its steps gave. */
static void take_out_failed(json_t *lists, uint64_t bad)
{
    const char *name;
    json_t *list;
    json_object_foreach (lists, name, list)
        for (int o = 0; o < 64 && bad >> o; o++)
            if (bad >> o & 1)
                json_array_set_new(list, (size_t)o, json_null());
}

static void check_collected(const struct scene *at, int step, const struct row_group *start,
                            const struct tally *t)
{
    const struct row_result *result = scene_result(at, step);
    json_t *want = expected_outputs(at, step, start, t->last);
    if (t->bad)
        take_out_failed(want, t->bad);
    json_t *is = json_loads(result->outputs ? result->outputs : "{}", 0, NULL);
    const bool same = json_equal(want, is);
    cleanup_free char *wanted = same ? NULL : json_dumps(want, JSON_SORT_KEYS);
    json_decref(want);
    json_decref(is);
    if (!same)
        sim_note(at->sim, "collected: %s; the result: %s", wanted, result->outputs);
    if (!same)
        wrong(at, step, "its outputs are not what was collected");
}

static void check_gave_nothing(const struct scene *at, int step)
{
    const char *outputs = scene_result(at, step)->outputs;
    if (outputs && strcmp(outputs, "{}") != 0)
        wrong(at, step, "it has outputs, and not all of it was run");
}

static void check_succeeded(const struct scene *at, int step, const struct row_group *start,
                            const struct tally *t)
{
    const struct plan_step *s = &at->v->steps[step];
    if (t->good != t->begun)
        wrong(at, step, "something in it did not succeed");
    if (s->kind != PLAN_LOOP && t->begun != start->count)
        wrong(at, step, "not all of its items ran");
    for (int o = 0; s->kind == PLAN_LOOP && o <= t->last; o++)
        if (round_holds(at, step, start, o) != (o == t->last))
            wrong(at, step, "it ended after the wrong round");
    check_collected(at, step, start, t);
    at->sim->counts.direct += s->direct;
    at->sim->counts.grafted += s->grafted;
    at->sim->counts.given += s->part && s->given >= PLAN_GIVEN_STEP;
    at->sim->counts.given_by_rounds += s->part && s->given == PLAN_GIVEN_ROUND;
}

static void check_failed(const struct scene *at, int step, const struct row_group *start,
                         const struct tally *t)
{
    const struct plan_step *s = &at->v->steps[step];
    const bool spent = loop_is_spent(at, step, start, t);
    const bool late = s->timeout_us && check_timed_out(scene_result(at, step)->reason);
    if (!t->failed && !spent && !late) {
        sim_note(at->sim, "try %d: %d of %d begun, last %d, %d good, %d cancelled",
                 start->key.attempt, t->begun, start->count, t->last, t->good, t->cancelled);
        wrong(at, step, "nothing in it failed");
    }
    if (!check_whole_is_spent(s, scene_result(at, step)))
        wrong(at, step, "it was not tried as often as it says");
    if (s->kind == PLAN_EACH && !s->fail_fast && !late &&
        (t->cancelled || t->begun != start->count))
        wrong(at, step, "an item was not run though fail_fast is off");
    if (s->kind == PLAN_EACH && !s->fail_fast && !late)
        check_collected(at, step, start, t);
    else
        check_gave_nothing(at, step);
}

static int expected_count(const struct scene *at, const struct plan_step *s)
{
    return s->kind == PLAN_EACH ? scene_items(at, s) : s->kind == PLAN_LOOP ? s->rounds : 1;
}

static void check_group(const struct scene *at, int step, bool may_stop)
{
    const struct plan_step *s = &at->v->steps[step];
    const struct row_result *result = scene_result(at, step);
    const struct row_key key = scene_key(at, step);
    const bool good = result->state == STEP_SUCCEEDED;
    const struct row_group *start = NULL;
    struct tally t = {0};
    for (int attempt = 1; attempt <= result->attempt; attempt++) {
        start = database_group(at->sim->db, &key, attempt);
        if (start && start->count != expected_count(at, s))
            wrong(at, step, "it has another number of items");
        if (start && s->kind == PLAN_SWITCH && start->branch != scene_branch(at, s))
            wrong(at, step, "it took the wrong branch");
        if (start)
            t = look_at_try(at, step, start, may_stop || attempt < result->attempt || !good);
    }
    if (!start && good && s->kind == PLAN_EACH && expected_count(at, s) == 0)
        check_collected(at, step, NULL, &(struct tally){0});
    else if (!start && result->state != STEP_CANCELLED)
        wrong(at, step, "it never began");
    else if (good)
        check_succeeded(at, step, start, &t);
    else if (result->state == STEP_FAILED)
        check_failed(at, step, start, &t);
}

/* What ended it was held against the rows when it was committed. */
static void check_waited(const struct scene *at, int step)
{
    const struct row_result *result = scene_result(at, step);
    const struct row_key key = scene_key(at, step);
    if (at->v->steps[step].kind == PLAN_START)
        check_started(at->sim, &at->v->steps[step], &key, result);
    if (at->v->steps[step].kind == PLAN_WAIT && result->state == STEP_FAILED &&
        !text_starts_with(result->reason, "timed out after"))
        wrong(at, step, "it fails by nothing but its timeout");
}

/* A run of a few steps has its own reasons. */
static bool is_of_only(const struct scene *at, const char *reason)
{
    static const char *const REASONS[] = {"not among", "the branch that it takes",
                                          "nothing to take over"};
    bool one = false;
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        one |= text_starts_with(reason, REASONS[i]);
    return one && strcmp(database_run(at->sim->db, &at->run)->again, "only") == 0;
}

static void check_step_end(const struct scene *at, int step, bool may_stop)
{
    const struct plan_step *s = &at->v->steps[step];
    const struct row_result *result = scene_result(at, step);
    if (!result)
        wrong(at, step, "it should have one");
    if (at->seen)
        ++*at->seen;
    if (text_starts_with(result->reason, "adopted") || is_of_only(at, result->reason))
        return; /* reference_repeats looks at these */
    if (result->state == STEP_CANCELLED) {
        if (!may_stop)
            wrong(at, step, "nothing cancelled it");
        if (plan_is_group(s) && result->attempt > 0)
            check_group(at, step, true);
        else if (s->kind == PLAN_START)
            check_waited(at, step);
        return;
    }
    const int want = scene_verdict(at, step);
    if (want != BEGINS) {
        if (result->state != want)
            wrong(at, step, "its needs and condition say otherwise");
        return;
    }
    const bool skips =
        s->kind == PLAN_START || (s->kind == PLAN_APPROVAL && s->silence == STEP_SKIPPED);
    if (result->state != STEP_SUCCEEDED && result->state != STEP_FAILED &&
        !(skips && result->state == STEP_SKIPPED))
        wrong(at, step, "it should have run");
    const bool unplaced = s->queue_us && text_starts_with(result->reason, "waited longer than");
    if (s->kind == PLAN_RUN && result->attempt == 0 && !unplaced &&
        uuid_is_nil(&result->cached_from))
        wrong(at, step, "it was never tried, and nothing says why");
    if (plan_is_group(s))
        check_group(at, step, may_stop);
    else if (plan_waits(s))
        check_waited(at, step);
}

static struct outcome dag_outcome(const struct scene *at, bool may_stop)
{
    const bool unfit = scene_is_unfit(at);
    struct outcome was = {.failed = unfit};
    at->sim->counts.unfit += unfit;
    for (int i = 0; i < at->v->step_count; i++) {
        if (!scene_has(at, i))
            continue;
        const struct plan_step *s = &at->v->steps[i];
        /* A finally step is ended by its deadline and nothing else, and has failed then; whether
         * that had come was held against the rows when it was committed. */
        check_step_end(at, i, s->finally || may_stop || unfit);
        const uint8_t state = scene_result(at, i)->state;
        if (unfit && !s->finally && state != STEP_CANCELLED)
            wrong(at, i, "what it stands in cannot be given its parameters");
        const bool late = s->finally && state == STEP_CANCELLED;
        was.failed |= (state == STEP_FAILED || late) && !s->allow_failure;
        was.cancelled |= state == STEP_CANCELLED && !late;
    }
    return was;
}

void reference_run(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                   uint8_t state, const char *reason)
{
    int seen = 0, there = 0;
    const bool late = state == RUN_FAILED && check_timed_out(reason);
    struct scene root = scene_of(sim, v, run, 0);
    root.seen = &seen;
    const struct outcome was = dag_outcome(&root, state == RUN_CANCELLED || late);
    if (late && !v->timeout_us)
        sim_fail(sim, 3, "run %s fails by its timeout, and has none", SHORT(*run));
    if (state != RUN_CANCELLED && !late && (state == RUN_FAILED) != was.failed)
        sim_fail(sim, 3, "run %s ends %s against its steps", SHORT(*run),
                 machine_state_name(&MACHINE_RUN, state));
    for (const struct row_result *row = sim->db->results; row; row = row->hh.next)
        there += uuid_compare(&row->key.run, run) == 0;
    if (there != seen)
        sim_fail(sim, 3, "run %s has %d results, and %d instances of steps", SHORT(*run), there,
                 seen);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int items_open(const struct database *db, const struct row_group *start)
{
    int open = 0;
    for (int32_t o = 0; o < start->count; o++) {
        const struct row_step *row = db->steps;
        while (row && (row->key.iteration != start->first + o ||
                       uuid_compare(&row->key.run, &start->key.at.run) != 0))
            row = row->hh.next;
        open += row != NULL;
    }
    return open;
}

void reference_parallelism(struct sim *sim,
                           const struct plan_version *(*version_of)(struct sim *sim,
                                                                    const struct uuid *run))
{
    for (const struct row_group *row = sim->db->groups; row; row = row->hh.next) {
        const struct row_step *group = database_step(sim->db, &row->key.at);
        if (!group || group->attempt != row->key.attempt)
            continue;
        const struct plan_version *v = version_of(sim, &row->key.at.run);
        const int most = v->steps[v->step_at[row->key.at.step]].parallelism;
        if (most && items_open(sim->db, row) > most)
            sim_fail(sim, 10, "%d items of %s go on at once, its parallelism is %d",
                     items_open(sim->db, row), v->steps[v->step_at[row->key.at.step]].name, most);
    }
}
