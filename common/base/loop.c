#include "common/base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "common/base/loop_internal.h"
#include "common/base/mem.h"

/* libuv fails here only without memory or file descriptors, at start. */
void loop_must(int rc)
{
    if (rc != 0)
        abort();
}

/* ---- deferred calls ------------------------------------------------------------------------- */

struct deferred {
    loop_fn *fn;
    void *arg;
};

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    struct defer_list *list = &loop->deferred[loop->collecting];
    MEM_ROOM(list->calls, list->count, list->cap);
    list->calls[list->count++] = (struct deferred){fn, arg};
}

/* The two lists swap: what runs now may defer again, into the other one. */
static void run_deferred(uv_check_t *check)
{
    struct loop *loop = check->data;
    struct defer_list *list = &loop->deferred[loop->collecting];
    if (list->count == 0)
        return;
    loop->collecting = !loop->collecting;
    for (size_t i = 0; i < list->count; i++)
        list->calls[i].fn(list->calls[i].arg);
    list->count = 0;
}

static void nothing(uv_idle_t *idle)
{
    (void)idle;
}

/* Last thing before the loop sleeps: it must not while calls wait, and the timer fd must be set
 * to the earliest timer. */
static void before_sleep(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    if (loop->deferred[loop->collecting].count > 0 || loop->stopping)
        loop_must(uv_idle_start(&loop->idle, nothing));
    else
        loop_must(uv_idle_stop(&loop->idle));
    loop_timers_arm(loop);
}

/* ---- the loop ------------------------------------------------------------------------------- */

struct loop *loop_new(void)
{
    struct loop *loop = mem_alloc(sizeof *loop);
    loop_must(uv_loop_init(&loop->uv));
    loop->uv.data = loop;
    loop_must(uv_prepare_init(&loop->uv, &loop->prepare));
    loop_must(uv_check_init(&loop->uv, &loop->check));
    loop_must(uv_idle_init(&loop->uv, &loop->idle));
    loop->prepare.data = loop->check.data = loop->idle.data = loop;
    loop_must(uv_prepare_start(&loop->prepare, before_sleep));
    loop_must(uv_check_start(&loop->check, run_deferred));
    loop_timers_open(loop);
    return loop;
}

/* Handles of ours besides the three embedded ones lie on the heap and point to themselves; what a
 * library left open on this loop is closed and stays its own. */
static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, handle->data == handle ? loop_free_handle : NULL);
}

void loop_free_handle(uv_handle_t *handle)
{
    free(handle);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* handles that are being closed */
    loop_wait_for_work(loop);
    loop_timers_close(loop);
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        continue;
    loop_must(uv_loop_close(&loop->uv));
    free(loop->deferred[0].calls);
    free(loop->deferred[1].calls);
    free(loop);
}

void loop_step(struct loop *loop, bool wait)
{
    uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_ONCE);
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

/* ---- signals -------------------------------------------------------------------------------- */

struct signal_watch {
    uv_signal_t uv; /* first: freed through it */
    loop_fn *fn;
    void *arg;
};

static void on_signal(uv_signal_t *uv, int signo)
{
    (void)signo;
    struct signal_watch *watch = (struct signal_watch *)uv;
    watch->fn(watch->arg);
}

void loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
    struct signal_watch *watch = mem_alloc(sizeof *watch);
    watch->fn = fn;
    watch->arg = arg;
    loop_must(uv_signal_init(&loop->uv, &watch->uv));
    watch->uv.data = &watch->uv;
    loop_must(uv_signal_start(&watch->uv, on_signal, signo));
    uv_unref((uv_handle_t *)&watch->uv);
}

static void stop(void *loop)
{
    loop_stop(loop);
}

void loop_stop_on_signals(struct loop *loop)
{
    signal(SIGPIPE, SIG_IGN);
    loop_on_signal(loop, SIGTERM, stop, loop);
    loop_on_signal(loop, SIGINT, stop, loop);
}

/* ---- work on threads ------------------------------------------------------------------------ */

struct job {
    uv_work_t uv;
    struct loop *loop;
    loop_fn *work, *done;
    void *arg;
};

static void work(uv_work_t *uv)
{
    struct job *job = uv->data;
    job->work(job->arg);
}

static void after_work(uv_work_t *uv, int status)
{
    (void)status; /* jobs are never cancelled */
    struct job *job = uv->data;
    job->loop->jobs--;
    loop_fn *done = job->done;
    void *arg = job->arg;
    free(job);
    done(arg);
}

void loop_work(struct loop *loop, loop_fn *work_fn, loop_fn *done, void *arg)
{
    struct job *job = mem_alloc(sizeof *job);
    *job = (struct job){.loop = loop, .work = work_fn, .done = done, .arg = arg};
    job->uv.data = job;
    loop->jobs++;
    loop_must(uv_queue_work(&loop->uv, &job->uv, work, after_work));
}

void loop_wait_for_work(struct loop *loop)
{
    while (loop->jobs > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
}
