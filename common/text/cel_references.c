#include "common/text/cel_internal.h"

#include <string.h>

#include "common/base/mem.h"

struct collector {
    struct arena *arena;
    struct cel_reference *items;
    size_t count, cap;
};

bool cel_is_bound(const struct cel_bound *bound, const char *name)
{
    for (; bound; bound = bound->outer)
        if (strcmp(bound->name, name) == 0)
            return true;
    return false;
}

/* The segment that a node adds to the path of its first child, or NULL. */
static const char *segment_of(const struct cel_node *n)
{
    if (n->kind == N_SELECT || n->kind == N_HAS)
        return n->name;
    if (n->kind != N_INDEX || n->args[1]->kind != N_LITERAL || n->args[1]->value.type != CEL_STRING)
        return NULL;
    const struct cel_bytes key = n->args[1]->value.text;
    return strlen(key.data) == key.len ? key.data : NULL; /* a key with a NUL is no name */
}

const struct cel_node *cel_path_root(const struct cel_node *n, const struct cel_bound *bound,
                                     size_t *count)
{
    enum cel_type type;
    for (*count = 1; segment_of(n); n = n->args[0])
        ++*count;
    const bool variable =
        n->kind == N_NAME && !cel_is_bound(bound, n->name) && !cel_type_find(n->name, &type);
    return variable ? n : NULL;
}

static void add_path(struct collector *c, const struct cel_node *n, const struct cel_node *root,
                     size_t count)
{
    const char **names = arena_alloc(c->arena, count * sizeof *names);
    names[0] = root->name;
    for (size_t i = count; n != root; n = n->args[0])
        names[--i] = segment_of(n);
    MEM_ROOM(c->items, c->count, c->cap);
    c->items[c->count++] = (struct cel_reference){names, count, root->line, root->column};
}

static void collect(struct collector *c, const struct cel_node *n, const struct cel_bound *bound)
{
    size_t count;
    const struct cel_node *root = cel_path_root(n, bound, &count);
    if (root) {
        add_path(c, n, root, count);
        return;
    }
    const struct cel_bound inner = {n->name, bound};
    for (size_t i = 0; i < n->count; i++)
        collect(c, n->args[i], n->kind == N_MACRO && i > 0 ? &inner : bound);
}

static int by_place(const void *a, const void *b)
{
    const struct cel_reference *x = a, *y = b;
    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

void cel_collect_references(struct cel *cel)
{
    struct collector c = {.arena = cel->arena};
    collect(&c, cel->root, NULL);
    if (c.count > 0) {
        struct cel_reference *items = arena_alloc(cel->arena, c.count * sizeof *items);
        memcpy(items, c.items, c.count * sizeof *items);
        qsort(items, c.count, sizeof *items, by_place);
        cel->references = items;
        cel->reference_count = c.count;
    }
    free(c.items);
}

void cel_references(const struct cel *cel, cel_reference_fn *each, void *user)
{
    for (size_t i = 0; i < cel->reference_count; i++)
        each(user, &cel->references[i]);
}
