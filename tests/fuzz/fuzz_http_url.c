/* Escapes and route patterns: what is escaped comes back, what matches lies inside the path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/http/server_internal.h"
#include "common/http/url.h"

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(const char *data, size_t len)
{
    cleanup_text struct text escaped = {0};
    url_escape(&escaped, data, len, "/");
    if (memchr(data, '\0', len))
        return; /* is escaped as %00, which is refused on the way back */
    cleanup_free char *back = url_unescape(escaped.data ? escaped.data : "", escaped.len, false);
    must(back && strlen(back) == len && memcmp(back, data, len) == 0);
}

static void check_decoding(const char *raw, size_t len)
{
    for (int plus = 0; plus < 2; plus++) {
        cleanup_free char *decoded = url_unescape(raw, len, plus);
        must(!decoded || strlen(decoded) <= len);
    }
}

static void check_routes(const char *path)
{
    static const char *const patterns[] = {"/",      "/hooks/:source", "/buckets/:bucket/*key",
                                           "/*rest", "/:a/:b/:c/:d",   "/a/:b/c"};
    const size_t len = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct route_match params[HTTP_PARAMS_MAX];
        const int n = route_match(patterns[i], path, params, HTTP_PARAMS_MAX);
        for (int k = 0; k < n; k++)
            must(params[k].raw >= path && params[k].raw + params[k].raw_len <= path + len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_free char *text = mem_bytes(data, len);
    check_round_trip(text, len);
    check_decoding(text, len);
    check_routes(text);
    return 0;
}
