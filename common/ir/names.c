#include "common/ir/names.h"

#include <string.h>
#include <uthash.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/text.h"

struct entry {
    const char *name;
    int32_t index;
    UT_hash_handle hh;
};

struct names {
    struct entry *entries; /* head of the hash */
    struct arena *arena;
};

struct names *names_new(void)
{
    struct names *names = mem_alloc(sizeof *names);
    names->arena = arena_new();
    return names;
}

void names_free(struct names *names)
{
    if (!names)
        return;
    HASH_CLEAR(hh, names->entries);
    arena_free(names->arena);
    free(names);
}

int32_t names_add(struct names *names, const char *name, int32_t index)
{
    const int32_t there = names_find(names, name);
    if (there >= 0)
        return there;
    struct entry *entry = arena_alloc(names->arena, sizeof *entry);
    entry->name = name;
    entry->index = index;
    HASH_ADD_KEYPTR(hh, names->entries, entry->name, strlen(entry->name), entry);
    return -1;
}

int32_t names_find(const struct names *names, const char *name)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, names->entries, name, strlen(name), entry);
    return entry ? entry->index : -1;
}

const char *names_nearest(const struct names *names, const char *word)
{
    const size_t count = HASH_COUNT(names->entries);
    cleanup_free const char **words = mem_array(count + 1, sizeof *words);
    size_t n = 0;
    for (const struct entry *entry = names->entries; entry; entry = entry->hh.next)
        words[n++] = entry->name;
    return text_nearest(word, words);
}

size_t names_bytes(const struct names *names)
{
    return sizeof *names + arena_size(names->arena) + HASH_OVERHEAD(hh, names->entries);
}
