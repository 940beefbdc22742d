#include "common/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define FIRST_BLOCK   ((size_t)4096)
#define LARGEST_BLOCK ((size_t)1024 * 1024)

struct block {
    struct block *next;
    size_t size;
    size_t used;
    _Alignas(16) char data[];
};

struct arena {
    struct block *first;
    struct block *current; /* blocks after it are empty */
    size_t held;
};

static struct block *block_new(struct arena *a, size_t size)
{
    struct block *b = mem_alloc(sizeof *b + size);
    b->size = size;
    a->held += sizeof *b + size;
    return b;
}

struct arena *arena_new(void)
{
    struct arena *a = mem_alloc(sizeof *a);
    a->first = a->current = block_new(a, FIRST_BLOCK);
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    for (struct block *b = a->first; b; b = b->next)
        b->used = 0;
    a->current = a->first;
}

/* The next block that can take `size`: one kept from before, or a new one after the current. */
static struct block *next_block(struct arena *a, size_t size)
{
    struct block *next = a->current->next;
    if (next && next->size >= size)
        return next;
    size_t wanted = a->current->size * 2;
    if (wanted > LARGEST_BLOCK)
        wanted = LARGEST_BLOCK;
    struct block *b = block_new(a, size > wanted ? size : wanted);
    b->next = next;
    a->current->next = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    size = (size + 15) & ~(size_t)15;
    if (a->current->size - a->current->used < size)
        a->current = next_block(a, size);
    void *p = a->current->data + a->current->used;
    a->current->used += size;
    return memset(p, 0, size);
}

char *arena_bytes(struct arena *a, const void *data, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

char *arena_text(struct arena *a, const char *text)
{
    return text ? arena_bytes(a, text, strlen(text)) : NULL;
}

size_t arena_size(const struct arena *a)
{
    return a->held;
}
