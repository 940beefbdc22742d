#include "common/text/yaml_internal.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

/* Scalars of jansson are shared (true, false, null), so a node is told by its parent and its name
 * there, never by its own address. */
struct entry {
    const json_t *parent;
    char *key; /* NULL in a sequence */
    size_t index;
    struct yaml_place key_at, value_at;
};

struct yaml_places {
    struct yaml_place root;
    struct entry *items;
    size_t count, cap;
};

struct yaml_places *yaml_places_new(struct yaml_place root)
{
    struct yaml_places *places = mem_alloc(sizeof *places);
    places->root = root;
    return places;
}

void yaml_places_add(struct yaml_places *places, const json_t *parent, const char *key,
                     size_t index, struct yaml_place key_at, struct yaml_place value_at)
{
    MEM_ROOM(places->items, places->count, places->cap);
    places->items[places->count++] =
        (struct entry){parent, mem_string(key), index, key_at, value_at};
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    if (x->key && y->key)
        return strcmp(x->key, y->key);
    return (x->index > y->index) - (x->index < y->index);
}

void yaml_places_sort(struct yaml_places *places)
{
    if (places->count > 0)
        qsort(places->items, places->count, sizeof *places->items, compare);
}

struct yaml_place yaml_places_key(const struct yaml_places *places, const json_t *parent,
                                  const char *key)
{
    for (size_t i = 0; i < places->count; i++) {
        const struct entry *e = &places->items[i];
        if (e->parent == parent && e->key && strcmp(e->key, key) == 0)
            return e->key_at;
    }
    return places->root;
}

void yaml_places_free(struct yaml_places *places)
{
    if (!places)
        return;
    for (size_t i = 0; i < places->count; i++)
        free(places->items[i].key);
    free(places->items);
    free(places);
}

static const struct entry *find(const struct yaml_places *places, const json_t *parent,
                                char *segment)
{
    struct entry wanted = {.parent = parent};
    if (json_is_array(parent))
        wanted.index = strtoul(segment, NULL, 10);
    else
        wanted.key = segment;
    return places->count == 0
               ? NULL
               : bsearch(&wanted, places->items, places->count, sizeof *places->items, compare);
}

static bool locate(const struct yaml_doc *doc, const char *pointer, bool key, int *line,
                   int *column)
{
    cleanup_text struct text segment = {0};
    struct yaml_place at = doc->places->root;
    const json_t *node = doc->value;
    bool exact = true;
    while (*pointer && exact) {
        const json_t *child = json_pointer_step(node, &pointer, &segment);
        const struct entry *e = child ? find(doc->places, node, segment.data) : NULL;
        if (e)
            at = key ? e->key_at : e->value_at;
        exact = e != NULL;
        node = child;
    }
    *line = at.line;
    *column = at.column;
    return exact;
}

bool yaml_locate(const struct yaml_doc *doc, const char *pointer, int *line, int *column)
{
    return locate(doc, pointer, false, line, column);
}

bool yaml_locate_key(const struct yaml_doc *doc, const char *pointer, int *line, int *column)
{
    return locate(doc, pointer, true, line, column);
}
