/* common/base/mem.h: memory and the clean-up attributes.
 * Running out of memory ends the process (crash-only: it restarts and rebuilds), so none of
 * these returns NULL. Sizes that come from outside are checked against a stated limit first. */
#pragma once
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *mem_alloc(size_t size);                         /* zeroed */
void *mem_array(size_t count, size_t size);           /* zeroed; ends the process on overflow */
void *mem_grow(void *old, size_t count, size_t size); /* realloc of an array; new part not zeroed */
char *mem_string(const char *text);                   /* strdup; NULL gives NULL */
char *mem_bytes(const void *data, size_t len);        /* copy with a NUL after it */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Gives what was freed back to the system; takes milliseconds when there is much. For a daemon that
 * has just let go of something large. */
void mem_give_back(void);
void mem_wipe(void *secret, size_t len); /* zeroes; not removed by the compiler */

/* Grows array `a` (pointer, count, capacity as lvalues) so that one more element fits. */
#define MEM_ROOM(a, count, cap)                                                                    \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 8;                                                           \
            (a) = mem_grow((a), (cap), sizeof *(a));                                               \
        }                                                                                          \
    } while (0)

/* Moves ownership out of a variable that has a clean-up attribute. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __auto_type taken_ = (p);                                                                  \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

static inline void mem_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void mem_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define cleanup_free  __attribute__((cleanup(mem_cleanup_free)))
#define cleanup_close __attribute__((cleanup(mem_cleanup_close)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
