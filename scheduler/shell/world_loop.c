#include "scheduler/shell/world.h"

#include <stdlib.h>
#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"

struct loop_world {
    struct world base;
    struct loop *loop;
};

struct world_timer {
    struct loop_timer timer;
    struct loop *loop;
    world_fn *fn;
    void *arg;
};

static int64_t mono(struct world *world)
{
    (void)world;
    return clock_monotonic_us();
}

static int64_t wall(struct world *world)
{
    (void)world;
    return clock_wall_us();
}

static void defer(struct world *world, world_fn *fn, void *arg)
{
    loop_defer(((struct loop_world *)world)->loop, fn, arg);
}

static struct world_timer *timer_new(struct world *world, world_fn *fn, void *arg)
{
    struct world_timer *timer = mem_alloc(sizeof *timer);
    timer->loop = ((struct loop_world *)world)->loop;
    timer->fn = fn;
    timer->arg = arg;
    return timer;
}

static void timer_set(struct world_timer *timer, int64_t after_us)
{
    loop_timer_start(timer->loop, &timer->timer, after_us, 0, timer->fn, timer->arg);
}

static void timer_stop(struct world_timer *timer)
{
    loop_timer_stop(&timer->timer);
}

static void timer_free(struct world_timer *timer)
{
    if (timer)
        loop_timer_stop(&timer->timer);
    free(timer);
}

static const struct world_ops ops = {
    .mono = mono,
    .wall = wall,
    .defer = defer,
    .timer_new = timer_new,
    .timer_set = timer_set,
    .timer_stop = timer_stop,
    .timer_free = timer_free,
};

struct world *world_loop_new(struct loop *loop)
{
    struct loop_world *world = mem_alloc(sizeof *world);
    world->base.ops = &ops;
    world->loop = loop;
    return &world->base;
}

void world_loop_free(struct world *world)
{
    free(world);
}
