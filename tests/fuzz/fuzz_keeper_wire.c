/* Whatever comes over the keeper's socket is a frame, not yet one, or refused. */
#include <stddef.h>
#include <stdint.h>

#include "worker/keeper/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size > 0) {
        struct keeper_frame frame;
        const int64_t taken = keeper_get(data, size, &frame, NULL);
        if (taken <= 0)
            break;
        keeper_start_clear(&frame.start);
        data += taken;
        size -= (size_t)taken;
    }
    return 0;
}
