/* worker/attempt/progress.h: the heartbeat of a step: its program touches the file LEAT_PROGRESS at
 * least that often, else the attempt is ended as timed_out.
 * Only a change of the file since the worker's last look counts, and a look that comes late says
 * nothing: so neither a clock that was set nor a worker that was away (killed, stopped, replaced)
 * ends a step that is well. One look a heartbeat. */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include "common/base/err.h"
#include "common/base/loop.h"

#define PROGRESS_FILE "progress" /* in the attempt's folder */

struct attempt;

struct progress {
    struct loop_timer due;
    struct progress_stamp {
        int64_t modified_ns; /* wall */
        off_t size;
        ino_t inode; /* 0 = not there */
    } seen;
    int64_t due_us;                    /* monotonic: when the next look should come */
    int64_t looked_us, looked_wall_us; /* both clocks at the last look */
};

/* The file, empty; nothing for a step without a heartbeat. */
int progress_prepare(const struct attempt *a, struct err *err);
/* The attempt runs, or was found running: a whole heartbeat begins. */
void progress_watch(struct attempt *a);
void progress_stop(struct attempt *a); /* also when it is not watched */

/* How long ago, at most, it was touched, as a look at (now, now_wall) finds it `modified`; 0 when
 * the clocks do not fit one another. Pure. */
int64_t progress_age(const struct progress *p, int64_t modified_ns, int64_t now_us,
                     int64_t now_wall_us);
