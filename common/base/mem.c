#include "common/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void *or_die(void *p)
{
    if (!p) {
        static const char text[] = "out of memory\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return or_die(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    return or_die(calloc(count ? count : 1, size));
}

void *mem_grow(void *old, size_t count, size_t size)
{
    return or_die(reallocarray(old, count ? count : 1, size));
}

char *mem_string(const char *text)
{
    return text ? or_die(strdup(text)) : NULL;
}

char *mem_bytes(const void *data, size_t len)
{
    char *copy = or_die(malloc(len + 1));
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    const int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return or_die(n < 0 ? NULL : text);
}

void mem_give_back(void)
{
    malloc_trim(0);
}

void mem_wipe(void *secret, size_t len)
{
    explicit_bzero(secret, len);
}
