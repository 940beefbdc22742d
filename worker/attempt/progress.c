#include "worker/attempt/progress.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

#define LATE_US  US_PER_S          /* a look that late: the worker was away */
#define JUMP_US  (200 * US_PER_MS) /* by which the two clocks may differ */
#define TICK_US  (20 * US_PER_MS)  /* file times are that coarse */
#define AGAIN_US US_PER_S          /* the journal cannot be written now */

int progress_prepare(const struct attempt *a, struct err *err)
{
    if (a->order.start->heartbeat_us <= 0)
        return 0;
    cleanup_free char *path = attempt_path(a, PROGRESS_FILE);
    if (file_write(path, "", 0, 0644, err) != 0)
        return err->code;
    /* In a container it may be any user who touches it. */
    if (attempt_in_container(a) && chmod(path, 0666) != 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}

static struct progress_stamp stamp_of(const struct attempt *a)
{
    cleanup_free char *path = attempt_path(a, PROGRESS_FILE);
    struct stat st;
    if (lstat(path, &st) != 0)
        return (struct progress_stamp){0};
    return (struct progress_stamp){st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                                   st.st_size, st.st_ino};
}

static bool same(const struct progress_stamp *x, const struct progress_stamp *y)
{
    return x->modified_ns == y->modified_ns && x->size == y->size && x->inode == y->inode;
}

int64_t progress_age(const struct progress *p, int64_t modified_ns, int64_t now_us,
                     int64_t now_wall_us)
{
    const int64_t passed = now_us - p->looked_us;
    const int64_t jump = now_wall_us - p->looked_wall_us - passed;
    const int64_t age = now_wall_us - modified_ns / 1000;
    if (jump > JUMP_US || jump < -JUMP_US || age < 0 || age > passed)
        return 0;
    return age;
}

static void look(void *arg);

static void look_in(struct attempt *a, int64_t after_us)
{
    a->progress.due_us = clock_monotonic_us() + after_us;
    loop_timer_start(a->worker->loop, &a->progress.due, after_us, 0, look, a);
}

/* Journalled before it is asked to end, so that a later life of the worker knows why it did. */
static void end_silent(struct attempt *a)
{
    struct worker *w = a->worker;
    cleanup_free char *reason =
        mem_printf("heartbeat: its program did not touch LEAT_PROGRESS for %.6g s",
                   (double)a->order.start->heartbeat_us / (double)US_PER_S);
    const size_t mark = journal_pending(w->journal);
    attempt_put_asked(a, ASKED_SILENT, a->grace_us, reason);
    if (!worker_journal(w)) {
        journal_take_back(w->journal, mark);
        look_in(a, AGAIN_US);
        return;
    }
    log_info("a step is silent", LOG_S("attempt", a->id_text));
    attempt_ask(a, ASKED_SILENT, a->grace_us, reason);
}

static void look(void *arg)
{
    struct attempt *a = arg;
    struct progress *p = &a->progress;
    const int64_t now = clock_monotonic_us(), wall = clock_wall_us();
    const struct progress_stamp stamp = stamp_of(a);
    const bool touched = !same(&stamp, &p->seen), late = now - p->due_us > LATE_US;
    if (a->asked)
        return; /* it is ending */
    if (!touched && !late) {
        end_silent(a);
        return;
    }
    const int64_t age = touched ? progress_age(p, stamp.modified_ns, now, wall) : 0;
    p->seen = stamp;
    p->looked_us = now;
    p->looked_wall_us = wall;
    look_in(a, a->order.start->heartbeat_us - age + TICK_US);
}

void progress_watch(struct attempt *a)
{
    if (a->order.start->heartbeat_us <= 0 || !attempt_runs_program(a))
        return;
    a->progress.seen = stamp_of(a);
    a->progress.looked_us = clock_monotonic_us();
    a->progress.looked_wall_us = clock_wall_us();
    look_in(a, a->order.start->heartbeat_us + TICK_US);
}

void progress_stop(struct attempt *a)
{
    loop_timer_stop(&a->progress.due);
}
