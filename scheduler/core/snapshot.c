#include "scheduler/core/snapshot.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"

#define LARGE_STEPS 1000 /* of all versions in one snapshot */

struct snapshot *snapshot_new(void)
{
    struct snapshot *s = mem_alloc(sizeof *s);
    s->arena = arena_new();
    return s;
}

static void drop_json(struct snapshot *s)
{
    for (size_t i = 0; i < s->pipelines_count; i++)
        json_decref(s->pipelines[i].paused_triggers);
    for (size_t i = 0; i < s->versions_count; i++)
        json_decref(s->versions[i].ir);
    for (size_t i = 0; i < s->runs_count; i++) {
        json_decref(s->runs[i].envelope);
        json_decref(s->runs[i].params);
        json_decref(s->runs[i].vars);
    }
    for (size_t i = 0; i < s->steps_count; i++)
        json_decref(s->steps[i].limits);
    for (size_t i = 0; i < s->results_count; i++) {
        json_decref(s->results[i].outputs);
        json_decref(s->results[i].metrics);
        json_decref(s->results[i].log);
    }
    for (size_t i = 0; i < s->cached_count; i++) {
        json_decref(s->cached[i].outputs);
        json_decref(s->cached[i].metrics);
    }
    for (size_t i = 0; i < s->groups_count; i++)
        json_decref(s->groups[i].items);
    for (size_t i = 0; i < s->workers_count; i++)
        json_decref(s->workers[i].info);
}

/* A version's JSON takes about 5 KB a step, seven times as much as what is made from it. */
static bool is_large(const struct snapshot *s)
{
    size_t steps = 0;
    for (size_t i = 0; i < s->versions_count; i++)
        steps += json_array_size(json_object_get(s->versions[i].ir, "steps"));
    return steps >= LARGE_STEPS;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    const bool large = is_large(s);
    drop_json(s);
#define A(field, type) free(s->field);
    SNAPSHOT_ARRAYS(A)
#undef A
    arena_free(s->arena);
    free(s);
    if (large)
        mem_give_back();
}

#define A(field, type)                                                                             \
    type *snapshot_add_##field(struct snapshot *s)                                                 \
    {                                                                                              \
        MEM_ROOM(s->field, s->field##_count, s->field##_cap);                                      \
        type *e = &s->field[s->field##_count++];                                                   \
        memset(e, 0, sizeof *e);                                                                   \
        return e;                                                                                  \
    }
SNAPSHOT_ARRAYS(A)
#undef A

const char *snapshot_text(struct snapshot *s, const char *text)
{
    return arena_text(s->arena, text);
}
