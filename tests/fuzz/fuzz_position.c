/* Whatever a client sends as Last-Event-ID is refused, or written back as a position that reads the
 * same; whatever a log holds is cut into pieces that are the log. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/live/position.h"
#include "api/live/sse.h"
#include "common/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const char *text)
{
    struct position p, again;
    cleanup_text struct text out = {0}, second = {0};
    if (position_read(text, &p, NULL) != 0)
        return;
    if (position_write(&p, &out)) {
        if (position_read(out.data, &again, NULL) != 0)
            abort();
        if (!position_write(&again, &second) || strcmp(out.data, second.data) != 0)
            abort();
        position_free(&again);
    }
    position_free(&p);
}

static void cut(const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        bool is_text;
        const size_t n = sse_log_piece(data + at, len - at, false, &is_text);
        if (n == 0 || n > len - at || n > SSE_LOG_MAX)
            abort();
        at += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_bytes(data, size);
    read_back(text);
    cut((const char *)data, size);
    return 0;
}
