/* Patterns of routes against raw paths. */
#include <string.h>

#include "common/http/server_internal.h"

/* One segment of the pattern against one of the path. */
static bool segment_matches(const char *pattern, size_t pattern_len, const char *raw, size_t len,
                            struct route_match *params, int *count)
{
    if (pattern_len == 0 || pattern[0] != ':')
        return pattern_len == len && memcmp(pattern, raw, len) == 0;
    if (len == 0)
        return false;
    params[(*count)++] = (struct route_match){pattern + 1, raw, pattern_len - 1, len};
    return true;
}

int route_match(const char *pattern, const char *path, struct route_match *params, size_t most)
{
    int count = 0;
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        if ((size_t)count == most)
            return -1;
        if (*pattern == '*') {
            params[count++] =
                (struct route_match){pattern + 1, path, strlen(pattern + 1), strlen(path)};
            return count;
        }
        const size_t pattern_len = strcspn(pattern, "/"), len = strcspn(path, "/");
        if (!segment_matches(pattern, pattern_len, path, len, params, &count))
            return -1;
        pattern += pattern_len;
        path += len;
    }
    return *pattern || *path ? -1 : count;
}

static void put_allowed(struct text *allowed, const char *method)
{
    text_printf(allowed, "%s%s", allowed->len ? ", " : "", method);
    if (strcmp(method, "GET") == 0)
        text_puts(allowed, ", HEAD");
}

const struct http_route *route_find(const struct http_route *routes, const char *method,
                                    const char *path, struct route_match *params, int *count,
                                    struct text *allowed)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (const struct http_route *route = routes; route->method; route++) {
        const int n = route_match(route->pattern, path, params, HTTP_PARAMS_MAX);
        if (n < 0)
            continue;
        if (strcmp(route->method, wanted) == 0) {
            *count = n;
            return route;
        }
        put_allowed(allowed, route->method);
    }
    return NULL;
}
