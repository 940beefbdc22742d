#include "worker/attempt/tombstones.h"

#include <stdlib.h>
#include <uthash.h>

#include "common/base/mem.h"

/* uthash keeps the order of insertion, so the oldest are at the front. */
struct tombstone_node {
    struct tombstone stone;
    UT_hash_handle hh;
};

static struct tombstone_node *find(const struct tombstones *t, const struct uuid *attempt)
{
    struct tombstone_node *node = NULL;
    HASH_FIND(hh, t->by_id, attempt->b, sizeof attempt->b, node);
    return node;
}

void tombstones_add(struct tombstones *t, const struct uuid *attempt, int64_t offset, bool refuse)
{
    struct tombstone_node *node = find(t, attempt);
    if (node) {
        node->stone.refuse = refuse;
        return;
    }
    node = mem_alloc(sizeof *node);
    node->stone = (struct tombstone){*attempt, offset, refuse};
    HASH_ADD(hh, t->by_id, stone.attempt.b, sizeof attempt->b, node);
}

const struct tombstone *tombstones_find(const struct tombstones *t, const struct uuid *attempt)
{
    const struct tombstone_node *node = find(t, attempt);
    return node ? &node->stone : NULL;
}

/* Only roughly in order of offset: an attempt may end long after its order came. A young one in
 * front holds back the older ones behind it for a while, which is harmless. */
void tombstones_prune(struct tombstones *t, int64_t next)
{
    while (t->by_id && t->by_id->stone.offset < next - TOMBSTONES_ORDERS) {
        struct tombstone_node *node = t->by_id;
        HASH_DEL(t->by_id, node);
        free(node);
    }
}

void tombstones_each(const struct tombstones *t,
                     void (*fn)(void *arg, const struct tombstone *stone), void *arg)
{
    for (const struct tombstone_node *n = t->by_id; n; n = n->hh.next)
        fn(arg, &n->stone);
}

size_t tombstones_count(const struct tombstones *t)
{
    return HASH_COUNT(t->by_id);
}

void tombstones_free(struct tombstones *t)
{
    while (t->by_id) {
        struct tombstone_node *node = t->by_id;
        HASH_DEL(t->by_id, node);
        free(node);
    }
}
