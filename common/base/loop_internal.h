/* common/base/loop_internal.h: what loop.c, loop_timer.c and loop_fd.c share. */
#pragma once
#include <uv.h>
#include "common/base/loop.h"

struct defer_list {
    struct deferred *calls;
    size_t count, cap;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;                /* runs while the loop must not sleep */
    struct defer_list deferred[2]; /* one collects while the other runs */
    int collecting;
    int jobs; /* of loop_work, not yet done */
    bool stopping;

    struct loop_timer **heap; /* earliest first, a binary heap */
    size_t timers, timers_cap;
    struct loop_fd timer_watch;
    int timer_fd;
    int64_t armed_us; /* what timer_fd is set to; INT64_MAX = nothing */
};

void loop_must(int rc); /* aborts when it is not 0 */
void loop_free_handle(uv_handle_t *handle);
void loop_wait_for_work(struct loop *loop);

void loop_timers_open(struct loop *loop);
void loop_timers_arm(struct loop *loop); /* before the loop sleeps */
void loop_timers_close(struct loop *loop);
