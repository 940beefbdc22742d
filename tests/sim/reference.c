#include "tests/sim/reference.h"

#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/check.h"
#include "tests/sim/check_starts.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})
#define BEGINS    (-1)
#define TOO_EARLY (-2)

/* One instance of a DAG. */
struct scene {
    struct sim *sim;
    const struct plan_version *v;
    struct uuid run;
    int parent, branch;
    int32_t iteration;
    const struct row_group *start; /* NULL = the run's own DAG */
    int *seen;                     /* results that were looked at */
};

struct outcome {
    bool failed, cancelled;
};

/* ---- looking --------------------------------------------------------------------------------- */

static struct row_key key_of(const struct scene *at, int step)
{
    return (struct row_key){at->run, at->v->index_of[step], at->iteration};
}

static const struct row_result *result_of(const struct scene *at, int step)
{
    const struct row_key key = key_of(at, step);
    return database_result(at->sim->db, &key);
}

static json_t *output_named(const struct scene *at, int step, const char *name)
{
    const struct row_result *result = result_of(at, step);
    if (!result || result->state != STEP_SUCCEEDED || !result->outputs)
        return NULL;
    json_t *all = json_loads(result->outputs, 0, NULL);
    json_t *n = json_incref(json_object_get(all, name));
    json_decref(all);
    return n;
}

static json_t *output_of(const struct scene *at, int step)
{
    return output_named(at, step, "n");
}

static bool number_of(const struct scene *at, int step, int *n)
{
    json_t *value = output_of(at, step);
    const bool there = json_is_integer(value);
    *n = (int)json_integer_value(value);
    json_decref(value);
    return there;
}

static struct scene scene_of(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                             int32_t iteration)
{
    struct scene at = {sim, v, *run, -1, 0, iteration, NULL, NULL};
    if (iteration == 0)
        return at;
    for (const struct row_group *row = sim->db->groups; row; row = row->hh.next)
        if (uuid_compare(&row->key.at.run, run) == 0 && iteration >= row->first &&
            iteration - row->first < row->count)
            at.start = row;
    if (!at.start)
        sim_fail(sim, 3, "iteration %d of run %s belongs to no group", iteration, SHORT(*run));
    at.parent = v->step_at[at.start->key.at.step];
    at.branch = at.start->branch;
    return at;
}

static struct scene around(const struct scene *at)
{
    struct scene up = scene_of(at->sim, at->v, &at->run, at->start->key.at.iteration);
    up.seen = at->seen;
    return up;
}

static bool stands_in(const struct scene *at, int step)
{
    const struct plan_step *s = &at->v->steps[step];
    return s->parent == at->parent && s->branch == at->branch;
}

/* The instance of a step beside it or further out. */
static struct scene scene_around(const struct scene *at, int step)
{
    struct scene here = *at;
    while (!stands_in(&here, step)) {
        if (!here.start)
            sim_fail(at->sim, 0, "the plan refers to a step that is not around");
        here = around(&here);
    }
    return here;
}

static bool number_seen(const struct scene *at, int step, int *n)
{
    const struct scene here = scene_around(at, step);
    return number_of(&here, step, n);
}

static bool list_seen(const struct scene *at, int step)
{
    const struct scene here = scene_around(at, step);
    json_t *list = output_named(&here, step, "d");
    json_decref(list);
    return list != NULL;
}

/* ---- what a step should come to before it is tried ------------------------------------------- */

static int by_needs(const struct scene *at, const struct plan_step *s)
{
    int good = 0, skipped = 0, bad = 0;
    for (int i = 0; i < at->v->step_count; i++) {
        const struct row_result *need = s->needs >> i & 1u ? result_of(at, i) : NULL;
        if (!(s->needs >> i & 1u))
            continue;
        if (!need)
            return TOO_EARLY;
        good += need->state == STEP_SUCCEEDED;
        skipped += need->state == STEP_SKIPPED;
        bad += need->state != STEP_SUCCEEDED && need->state != STEP_SKIPPED;
    }
    switch (s->rule) {
    case PLAN_ALL_SUCCEEDED:
        return bad ? STEP_UPSTREAM_FAILED : skipped ? STEP_SKIPPED : BEGINS;
    case PLAN_ALL_DONE:
        return BEGINS;
    case PLAN_ANY_FAILED:
        return bad ? BEGINS : STEP_SKIPPED;
    case PLAN_ANY_SUCCEEDED:
        return good ? BEGINS : bad ? STEP_UPSTREAM_FAILED : STEP_SKIPPED;
    default:
        return bad ? STEP_UPSTREAM_FAILED : BEGINS;
    }
}

/* -1 = no branch; -2 = it cannot be said. */
static int branch_of(const struct scene *at, const struct plan_step *s)
{
    int n;
    for (int b = 0; b < s->branches; b++) {
        if (b + 1 == s->branches && s->has_else)
            return b;
        if (!number_of(at, s->branch_step, &n))
            return -2;
        if (n > s->branch_over[b])
            return b;
    }
    return -1;
}

/* -1 = it cannot be said. */
static int items_of(const struct scene *at, const struct plan_step *s)
{
    int n;
    if (s->items_from < 0)
        return s->item_count;
    if (s->items_folder)
        return number_of(at, s->items_from, &n) ? plan_names(n) : -1;
    if (!plan_is_list(at->v, s->items_from))
        return number_of(at, s->items_from, &n) ? s->item_count + 1 : -1;
    json_t *list = output_of(at, s->items_from);
    const int count = json_is_array(list) ? (int)json_array_size(list) : -1;
    json_decref(list);
    return count;
}

static int verdict(const struct scene *at, int step)
{
    const struct plan_step *s = &at->v->steps[step];
    int n, state = by_needs(at, s);
    if (state != BEGINS)
        return state;
    if (s->when_step >= 0 && !number_of(at, s->when_step, &n))
        return STEP_FAILED;
    if (s->when_step >= 0 && n <= s->when_over)
        return STEP_SKIPPED;
    if (s->refers >= 0 && !number_seen(at, s->refers, &n))
        return STEP_FAILED;
    if (s->takes >= 0 && !list_seen(at, s->takes))
        return STEP_FAILED;
    if (s->kind == PLAN_EACH && items_of(at, s) < 0)
        return STEP_FAILED;
    if (s->kind == PLAN_SWITCH && branch_of(at, s) < 0)
        return branch_of(at, s) == -1 ? STEP_SKIPPED : STEP_FAILED;
    return BEGINS;
}

void reference_begins(struct sim *sim, const struct plan_version *v, const struct row_key *key)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const int step = v->step_at[key->step];
    if (!stands_in(&at, step))
        sim_fail(sim, 3, "step %s begins in an iteration of %s", v->steps[step].name,
                 at.parent < 0 ? "the run" : v->steps[at.parent].name);
    if (verdict(&at, step) != BEGINS)
        sim_fail(sim, 5, "step %s of run %s starts against its needs or condition",
                 v->steps[step].name, SHORT(key->run));
    if (v->steps[step].finally && !database_in_finally(sim->db, &key->run, key->iteration))
        sim_fail(sim, 14, "the finally step %s of run %s begins, and nothing says since when",
                 v->steps[step].name, SHORT(key->run));
    for (int i = 0; v->steps[step].finally && i < v->step_count; i++)
        if (stands_in(&at, i) && !v->steps[i].finally && !result_of(&at, i))
            sim_fail(sim, 5, "the finally step %s of run %s starts before %s is over",
                     v->steps[step].name, SHORT(key->run), v->steps[i].name);
}

void reference_arguments(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                         char refers[16], char where[64])
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    int n = 0, item = -1, round = -1;
    bool named = false;
    if (s->refers >= 0 && !number_seen(&at, s->refers, &n))
        sim_fail(sim, 5, "step %s runs though it refers to nothing", s->name);
    snprintf(refers, 16, "%d", n);
    if (s->refers < 0)
        refers[0] = '\0';
    for (struct scene here = at; here.start; here = around(&here)) {
        const int ordinal = here.iteration - here.start->first;
        if (v->steps[here.parent].kind == PLAN_EACH && item < 0) {
            item = ordinal;
            named = v->steps[here.parent].items_folder;
        }
        if (v->steps[here.parent].kind == PLAN_LOOP && round < 0)
            round = ordinal;
    }
    char *to = where;
    *to = '\0';
    if (item >= 0)
        to += snprintf(to, 32, "%s%d", named ? "f " : "", item);
    if (round >= 0)
        snprintf(to, 32, "/%d", round);
}

void reference_list(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                    const struct order_start *order)
{
    const struct scene at = scene_of(sim, v, &key->run, key->iteration);
    const struct plan_step *s = &v->steps[v->step_at[key->step]];
    if (order->inputs_count != (s->takes >= 0))
        sim_fail(sim, 3, "step %s is given %zu inputs", s->name, order->inputs_count);
    if (s->takes < 0)
        return;
    const struct scene there = scene_around(&at, s->takes);
    const struct row_key from = key_of(&there, s->takes);
    const struct order_list *of = order->inputs[0].of;
    json_t *want = output_named(&there, s->takes, "d");
    if (!want || !of || of->step != from.step || of->iteration != from.iteration ||
        !json_equal(want, order->inputs[0].list))
        sim_fail(sim, 3, "step %s is given another list than %s has collected", s->name,
                 v->steps[s->takes].name);
    json_decref(want);
}

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
        if (stands_in(at, i) && result_of(at, i))
            return true;
    return false;
}

static void wrong(const struct scene *at, int step, const char *what)
{
    const struct row_result *is = result_of(at, step);
    sim_fail(at->sim, 3, "step %s of run %s, iteration %d, is %s (%s): %s", at->v->steps[step].name,
             SHORT(at->run), at->iteration,
             is ? machine_state_name(&MACHINE_STEP, is->state) : "without a result",
             is ? is->reason : "", what);
}

/* What a DAG gives as n: a new reference, or NULL. */
static json_t *given(const struct scene *in)
{
    const int from = in->v->steps[in->parent].gives[in->branch];
    return from >= 0 ? output_of(in, from) : NULL;
}

struct tally {
    int begun, failed, cancelled, good;
    int last; /* ordinal that began last */
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
        t.cancelled += was.cancelled && !was.failed;
        t.good += !was.failed && !was.cancelled;
    }
    return t;
}

static bool round_holds(const struct scene *at, int step, const struct row_group *start, int o)
{
    const struct scene in = inside(at, step, start, o);
    json_t *n = given(&in);
    const bool holds = json_integer_value(n) > at->v->steps[step].until_over;
    json_decref(n);
    return holds;
}

/* What the item gives as d: a new reference. A list carries no names. */
static json_t *folder_given(const struct scene *in)
{
    json_t *d = output_named(in, in->v->steps[in->parent].gives_folder, "d");
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

static json_t *expected_outputs(const struct scene *at, int step, const struct row_group *start,
                                int last)
{
    const struct plan_step *s = &at->v->steps[step];
    const int count = start ? start->count : 0;
    json_t *all = json_object(), *list = json_array();
    for (int o = 0; s->kind == PLAN_EACH && o < count; o++) {
        const struct scene in = inside(at, step, start, o);
        json_t *n = given(&in);
        json_array_append_new(list, n ? n : json_null());
    }
    if (s->kind == PLAN_EACH && s->gives[0] >= 0) {
        json_object_set(all, "n", list);
    }
    if (s->gives_folder >= 0)
        json_object_set_new(all, "d", folders_expected(at, step, start));
    if (s->kind != PLAN_EACH) {
        const struct scene in = inside(at, step, start, last);
        json_t *n = given(&in);
        if (n)
            json_object_set_new(all, "n", n);
    }
    json_decref(list);
    return all;
}

static void check_collected(const struct scene *at, int step, const struct row_group *start,
                            int last)
{
    const struct row_result *result = result_of(at, step);
    json_t *want = expected_outputs(at, step, start, last);
    json_t *is = json_loads(result->outputs ? result->outputs : "{}", 0, NULL);
    const bool same = json_equal(want, is);
    json_decref(want);
    json_decref(is);
    if (!same)
        wrong(at, step, "its outputs are not what was collected");
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
    check_collected(at, step, start, t->last);
}

static void check_failed(const struct scene *at, int step, const struct row_group *start,
                         const struct tally *t)
{
    const struct plan_step *s = &at->v->steps[step];
    const bool spent = s->kind == PLAN_LOOP && t->good == start->count &&
                       !round_holds(at, step, start, start->count - 1);
    const bool late = s->timeout_us && check_timed_out(result_of(at, step)->reason);
    if (!t->failed && !spent && !late) {
        sim_note(at->sim, "try %d: %d of %d begun, last %d, %d good, %d cancelled",
                 start->key.attempt, t->begun, start->count, t->last, t->good, t->cancelled);
        wrong(at, step, "nothing in it failed");
    }
    if (start->key.attempt != s->attempts)
        wrong(at, step, "it was not tried as often as it says");
    if (s->kind == PLAN_EACH && !s->fail_fast && !late &&
        (t->cancelled || t->begun != start->count))
        wrong(at, step, "an item was not run though fail_fast is off");
}

static int expected_count(const struct scene *at, const struct plan_step *s)
{
    return s->kind == PLAN_EACH ? items_of(at, s) : s->kind == PLAN_LOOP ? s->rounds : 1;
}

static void check_group(const struct scene *at, int step, bool may_stop)
{
    const struct plan_step *s = &at->v->steps[step];
    const struct row_result *result = result_of(at, step);
    const struct row_key key = key_of(at, step);
    const bool good = result->state == STEP_SUCCEEDED;
    const struct row_group *start = NULL;
    struct tally t = {0};
    for (int attempt = 1; attempt <= result->attempt; attempt++) {
        start = database_group(at->sim->db, &key, attempt);
        if (start && start->count != expected_count(at, s))
            wrong(at, step, "it has another number of items");
        if (start && s->kind == PLAN_SWITCH && start->branch != branch_of(at, s))
            wrong(at, step, "it took the wrong branch");
        if (start)
            t = look_at_try(at, step, start, may_stop || attempt < result->attempt || !good);
    }
    if (!start && good && s->kind == PLAN_EACH && expected_count(at, s) == 0)
        check_collected(at, step, NULL, 0);
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
    const struct row_result *result = result_of(at, step);
    const struct row_key key = key_of(at, step);
    if (at->v->steps[step].kind == PLAN_START)
        check_started(at->sim, &at->v->steps[step], &key, result);
    if (at->v->steps[step].kind == PLAN_WAIT && result->state == STEP_FAILED &&
        !text_starts_with(result->reason, "timed out after"))
        wrong(at, step, "it fails by nothing but its timeout");
}

static void check_step_end(const struct scene *at, int step, bool may_stop)
{
    const struct plan_step *s = &at->v->steps[step];
    const struct row_result *result = result_of(at, step);
    if (!result)
        wrong(at, step, "it should have one");
    if (at->seen)
        ++*at->seen;
    if (text_starts_with(result->reason, "adopted") ||
        (text_starts_with(result->reason, "not among") && at->parent < 0))
        return; /* reference_repeats looks at these */
    if (result->state == STEP_CANCELLED) {
        if (!may_stop || s->finally)
            wrong(at, step, "nothing cancelled it");
        if (plan_is_group(s) && result->attempt > 0)
            check_group(at, step, true);
        else if (s->kind == PLAN_START)
            check_waited(at, step);
        return;
    }
    const int want = verdict(at, step);
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
    struct outcome was = {0};
    for (int i = 0; i < at->v->step_count; i++) {
        if (!stands_in(at, i))
            continue;
        check_step_end(at, i, may_stop);
        const uint8_t state = result_of(at, i)->state;
        was.failed |= state == STEP_FAILED && !at->v->steps[i].allow_failure;
        was.cancelled |= state == STEP_CANCELLED;
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
