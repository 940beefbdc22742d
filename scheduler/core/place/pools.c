#include "scheduler/core/place/pools.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "scheduler/core/place/limits.h"

static struct pool *pool_find(struct core *core, const char *name)
{
    struct pool *p = NULL;
    HASH_FIND_STR(core->pools, name, p);
    return p;
}

struct pool *pool_get(struct core *core, const char *name)
{
    if (!name)
        name = "default";
    struct pool *p = pool_find(core, name);
    if (p)
        return p;
    p = mem_alloc(sizeof *p);
    p->name = mem_string(name);
    p->slots = limit_of_pool(core, name);
    p->slots->refs++;
    HASH_ADD_KEYPTR(hh, core->pools, p->name, strlen(p->name), p);
    return p;
}

/* Those who name a pool are versions, workers and files: when the last of them is gone so is it, or
 * each name that there ever was would stay. */
void pool_release(struct core *core, struct pool *pool)
{
    if (pool->lanes || pool->workers || pool->dirty || pool->known)
        return;
    HASH_DEL(core->pools, pool);
    limit_unref(core, pool->slots);
    free(pool->path);
    free(pool->name);
    free(pool);
}

static void learn(struct core *core, struct pool *p, int64_t slots, const char *path)
{
    limit_resize(core, p->slots, slots < 0 ? LIMIT_OPEN : slots);
    free(p->path);
    p->path = mem_string(path);
}

void pools_learn(struct core *core, const struct snapshot *from)
{
    struct pool *p, *next;
    if (!from->has_limits)
        return;
    for (size_t i = 0; i < from->pools_count; i++) {
        p = pool_get(core, from->pools[i].name);
        p->known = p->listed = true;
        learn(core, p, from->pools[i].slots, from->pools[i].path);
    }
    HASH_ITER (hh, core->pools, p, next) {
        const bool gone = p->known && !p->listed;
        p->listed = false;
        if (!gone)
            continue;
        p->known = false;
        learn(core, p, -1, NULL);
        pool_release(core, p);
    }
}

const char *pool_path(struct core *core, const struct ir_step *def)
{
    const struct pool *p = pool_find(core, def->pool ? def->pool : "default");
    if (!p->path) /* its lane is of that pool: it is there */
        return NULL;
    for (size_t i = 0; i < def->env_count; i++)
        if (strcmp(def->env[i].name, "PATH") == 0)
            return NULL;
    return p->path;
}

void pools_free(struct core *core)
{
    struct pool *p, *next;
    HASH_ITER (hh, core->pools, p, next) {
        struct lane *l, *after;
        DL_FOREACH_SAFE(p->lanes, l, after)
        {
            free(l->heap);
            free(l->wants_of);
            free(l);
        }
        HASH_DEL(core->pools, p);
        free(p->path);
        free(p->name);
        free(p);
    }
}
