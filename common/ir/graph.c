#include "common/ir/graph.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Takes away, again and again, the nodes that nobody left needs, and notes them in `taken`; what
 * stays is on a cycle or needed by one. `wanted[n]` counts the nodes left that need n, and is 0 for
 * those taken away. Returns how many were taken. */
static size_t peel(const struct graph_node *nodes, size_t count, int32_t *wanted, int32_t *taken)
{
    size_t ready = 0, done = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < nodes[i].need_count; n++)
            wanted[nodes[i].needs[n]]++;
    }
    for (size_t i = 0; i < count; i++) {
        if (wanted[i] == 0)
            taken[ready++] = (int32_t)i;
    }
    while (done < ready) {
        const struct graph_node *node = &nodes[taken[done++]];
        for (size_t n = 0; n < node->need_count; n++) {
            if (--wanted[node->needs[n]] == 0)
                taken[ready++] = node->needs[n];
        }
    }
    return done;
}

int32_t *graph_order(const struct graph_node *nodes, size_t count)
{
    cleanup_free int32_t *wanted = mem_array(count + 1, sizeof *wanted);
    int32_t *order = mem_array(count + 1, sizeof *order);
    const size_t taken = peel(nodes, count, wanted, order);
    for (size_t i = 0; i < taken / 2; i++) {
        const int32_t swap = order[i];
        order[i] = order[taken - 1 - i];
        order[taken - 1 - i] = swap;
    }
    return order;
}

/* The node that `from` is needed by, among those left. Turned round, since every node left has one
 * that needs it, while not every one needs another that is left. */
static void link_back(const struct graph_node *nodes, size_t count, const int32_t *wanted,
                      int32_t *by)
{
    for (size_t i = count; i-- > 0;) {
        for (size_t n = 0; wanted[i] > 0 && n < nodes[i].need_count; n++)
            by[nodes[i].needs[n]] = (int32_t)i;
    }
}

static int32_t lowest_on(const int32_t *by, int32_t at)
{
    int32_t lowest = at;
    for (int32_t next = by[at]; next != at; next = by[next])
        lowest = next < lowest ? next : lowest;
    return lowest;
}

int32_t *graph_cycle(const struct graph_node *nodes, size_t count, size_t *length)
{
    cleanup_free int32_t *wanted = mem_array(count + 1, sizeof *wanted);
    cleanup_free int32_t *taken = mem_array(count + 1, sizeof *taken);
    *length = 0;
    if (peel(nodes, count, wanted, taken) == count)
        return NULL;
    cleanup_free int32_t *by = mem_array(count, sizeof *by);
    cleanup_free bool *seen = mem_array(count, sizeof *seen);
    link_back(nodes, count, wanted, by);
    int32_t at = 0;
    while (wanted[at] == 0)
        at++;
    for (; !seen[at]; at = by[at])
        seen[at] = true;
    const int32_t first = lowest_on(by, at);
    size_t n = 1;
    for (at = by[first]; at != first; at = by[at])
        n++;
    int32_t *cycle = mem_array(n, sizeof *cycle);
    cycle[0] = first;
    for (size_t i = n - 1; i > 0; i--) { /* by[] walks against the arrows */
        at = by[at];
        cycle[i] = at;
    }
    *length = n;
    return cycle;
}

static int by_value(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

size_t graph_unique(int32_t *indices, size_t count)
{
    size_t kept = 0;
    if (count > 1)
        qsort(indices, count, sizeof *indices, by_value);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || indices[kept - 1] != indices[i])
            indices[kept++] = indices[i];
    }
    return kept;
}
