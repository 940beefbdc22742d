/* common/ir/graph.h: what needs what, as plain indices. Pure; O(nodes + edges). */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct graph_node {
    const int32_t *needs; /* each within the graph */
    size_t need_count;
};

/* One cycle as its nodes in order, each needing the next and the last the first; malloc'd, the
 * caller's. NULL and *length 0 when there is none. */
int32_t *graph_cycle(const struct graph_node *nodes, size_t count, size_t *length);

/* The nodes so that each comes after all that it needs; malloc'd, the caller's. Without a cycle. */
int32_t *graph_order(const struct graph_node *nodes, size_t count);

/* Sorts and drops repeats; returns how many are left. */
size_t graph_unique(int32_t *indices, size_t count);
