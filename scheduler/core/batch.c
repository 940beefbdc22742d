#include "scheduler/core/batch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"

struct batch *batch_new(void)
{
    struct batch *b = mem_alloc(sizeof *b);
    b->arena = arena_new();
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
#define A(field, type) free(b->field);
    BATCH_ARRAYS(A)
#undef A
    arena_free(b->arena);
    free(b);
}

void batch_clear(struct batch *b)
{
#define A(field, type) b->field##_count = 0;
    BATCH_ARRAYS(A)
#undef A
    arena_reset(b->arena);
}

bool batch_is_empty(const struct batch *b)
{
#define A(field, type)                                                                             \
    if (b->field##_count)                                                                          \
        return false;
    BATCH_ARRAYS(A)
#undef A
    return true;
}

#define A(field, type)                                                                             \
    type *batch_add_##field(struct batch *b)                                                       \
    {                                                                                              \
        MEM_ROOM(b->field, b->field##_count, b->field##_cap);                                      \
        type *e = &b->field[b->field##_count++];                                                   \
        memset(e, 0, sizeof *e);                                                                   \
        return e;                                                                                  \
    }
BATCH_ARRAYS(A)
#undef A

const char *batch_text(struct batch *b, const char *s)
{
    return arena_text(b->arena, s);
}

const char *batch_bytes(struct batch *b, const void *data, size_t len)
{
    return arena_bytes(b->arena, data, len);
}

const char *batch_printf(struct batch *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(len >= 0); /* the formats are our own */
    char *text = arena_alloc(b->arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}
