/* common/base/arena.h: a bump allocator. Freed or reset as a whole; memory is kept across resets,
 * so that a batch allocates nothing once it is warm. Not thread-safe. */
#pragma once
#include <stddef.h>

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a);  /* takes NULL */
void arena_reset(struct arena *a); /* everything handed out is invalid afterwards */
void *arena_alloc(struct arena *a,
                  size_t size); /* zeroed, aligned to 16; ends the process when out of memory */
char *arena_bytes(struct arena *a, const void *data, size_t len); /* copy with a NUL after it */
char *arena_text(struct arena *a, const char *text);              /* NULL gives NULL */
size_t arena_size(const struct arena *a);                         /* bytes held from the system */
