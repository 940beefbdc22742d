/* Steps that wait for an event, listed by its type, so that an event is held only against those
 * that wait for its type, or for a pattern that fits it. */
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/order.h"

/* Of one event; the rest are counted. */
#define VERDICTS_MAX 1000

/* ---- the lists ----------------------------------------------------------------------------- */

static struct await_key *key_find(const struct core *core, const char *type, size_t len)
{
    struct await_key *key = NULL;
    HASH_FIND(hh, core->await_keys, type, len, key);
    return key;
}

void await_list(struct core *core, struct await *a)
{
    const char *type = a->def->wait->type;
    struct await_key *key = key_find(core, type, strlen(type));
    if (!key) {
        key = mem_alloc(sizeof *key);
        key->type = mem_string(type);
        HASH_ADD_KEYPTR(hh, core->await_keys, key->type, strlen(key->type), key);
    }
    DL_APPEND(key->awaits, a);
    a->key = key;
}

void await_unlist(struct core *core, struct await *a)
{
    struct await_key *key = a->key;
    DL_DELETE(key->awaits, a);
    a->key = NULL;
    if (a->view)
        view_close(a->view);
    free(TAKE(a->view));
    if (key->awaits)
        return;
    HASH_DEL(core->await_keys, key);
    free(key->type);
    free(key);
}

/* ---- one event and one wait ---------------------------------------------------------------- */

struct meeting {
    struct core *core;
    const struct event *event;
    const char *text;
    json_t **envelope;
    json_t *verdicts;
    size_t told;
    const struct core_now *now;
    struct batch *out;
    bool looks; /* only whether it fits one */
    bool fits;
};

/* Kept from one event to the next: what it sees is over and changes no more. */
static struct view *view_of(struct await *a)
{
    if (plant_on(PLANT_FILTER_SEES_THE_FIRST))
        a = a->key->awaits;
    if (a->view)
        return a->view;
    a->view = mem_alloc(sizeof *a->view);
    view_begin(a->view);
    view_add(a->view, "event", NULL); /* the candidate: the run's own is not seen */
    view_fill(a->view, a->at, a->at.frame, order_sees_cel(a->def->wait->filter), NULL);
    return a->view;
}

static int filter_holds(struct await *a, json_t *envelope, bool *holds, struct err *err)
{
    struct view *view = view_of(a);
    view->items[0].value = envelope;
    const int rc = cel_eval_bool(a->def->wait->filter, &view->vars, holds, err);
    view->items[0].value = NULL;
    return rc;
}

static void tell(struct meeting *m, const struct await *a, const char *verdict, const char *reason)
{
    char id[UUID_TEXT];
    if (++m->told > VERDICTS_MAX)
        return;
    uuid_format(&ref_run(a->at)->id, id);
    json_t *v = json_pack("{s:s, s:s, s:s, s:i, s:s}", "pipeline", ref_run(a->at)->pipeline->name,
                          "waiting", id, "step", a->def->name, "iteration",
                          (int)ref_iteration(a->at), "verdict", verdict);
    if (reason)
        json_object_set_new(v, "reason", json_string(reason));
    json_array_append_new(m->verdicts, v);
}

/* It goes on waiting, and says why this one was none. */
static void filter_failed(struct meeting *m, struct await *a, const char *why)
{
    char id[UUID_TEXT];
    uuid_format(&m->event->id, id);
    tell(m, a, "failed", why);
    await_set_reason(m->core, a,
                     mem_printf("waits for an event of type %s; its filter failed on event %s: "
                                "%.600s",
                                a->def->wait->type, id, why));
}

static void meet(struct meeting *m, struct await *a)
{
    struct err err = {0};
    bool holds = true;
#ifdef LEAT_PLANTS
    if (a->forgotten)
        return;
#endif
    if (frame_stops(a->at) || !ir_wait_fits(a->def->wait, m->event))
        return;
    if (!*m->envelope)
        *m->envelope = json_read(m->text, strlen(m->text), NULL, NULL);
    const bool failed = a->def->wait->filter && !plant_on(PLANT_WAIT_WITHOUT_FILTER) &&
                        filter_holds(a, *m->envelope, &holds, &err) < 0;
    if (m->looks)
        m->fits |= !failed && holds;
    else if (failed)
        filter_failed(m, a, err.text);
    else if (holds) {
        json_t *outputs cleanup_json = json_pack("{s:O}", "event", *m->envelope);
        m->core->batch_bytes += strlen(m->text);
        tell(m, a, "ended", NULL);
        await_end(m->core, a, STEP_SUCCEEDED, outputs, NULL, m->now, m->out);
    }
}

/* What ends here ends nothing else that waits, and what begins by it begins in a turn. */
static void meet_all(struct meeting *m, const struct await_key *key)
{
    struct await *next = key ? key->awaits : NULL;
    while (next) {
        struct await *a = next;
        next = a->next;
        meet(m, a);
        if (plant_on(PLANT_EVENT_ENDS_ONE_WAIT) && m->told)
            return;
    }
}

/* ---- one event ----------------------------------------------------------------------------- */

/* "a.b.c" fits "a.*" and "a.b.*". */
static void meet_patterns(struct meeting *m, const char *type)
{
    cleanup_free char *pattern = mem_printf("%s*", type);
    for (size_t i = 0; type[i]; i++) {
        if (type[i] != '.' || !type[i + 1])
            continue;
        pattern[i + 1] = '*';
        meet_all(m, key_find(m->core, pattern, i + 2));
        pattern[i + 1] = type[i + 1];
    }
}

static void meet_event(struct meeting *m)
{
    const char *type = m->event->type;
    frames_close_all(m->core, m->now, m->out); /* after a takeover: filters look at these */
    const size_t len = strlen(type);
    if (len < 2 || strcmp(type + len - 2, ".*") != 0) /* it would be met as a pattern too */
        meet_all(m, key_find(m->core, type, len));
    meet_patterns(m, type);
}

bool awaits_fit(struct core *core, const struct event *event, const char *text, json_t **envelope,
                const struct core_now *now, struct batch *out)
{
    struct meeting m = {core, event, text, envelope, NULL, 0, now, out, true, false};
    if (core->await_keys)
        meet_event(&m);
    return m.fits;
}

void awaits_meet(struct core *core, const struct event *event, const char *text, json_t **envelope,
                 json_t *verdicts, const struct core_now *now, struct batch *out)
{
    struct meeting m = {core, event, text, envelope, verdicts, 0, now, out, false, false};
    if (!core->await_keys)
        return;
    meet_event(&m);
    if (m.told > VERDICTS_MAX)
        json_array_append_new(verdicts, json_pack("{s:s, s:I}", "verdict", "more", "count",
                                                  (json_int_t)(m.told - VERDICTS_MAX)));
}
