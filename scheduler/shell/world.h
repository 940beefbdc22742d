/* scheduler/shell/world.h: clocks and timers as the shell sees them. The daemon's sit on
 * common/base/loop.h, the simulator has its own. Single-threaded; times are microseconds. */
#pragma once
#include <stdint.h>

struct world;
struct world_timer;
struct loop;

typedef void world_fn(void *arg);

struct world_ops {
    int64_t (*mono)(struct world *world); /* monotonic: every decision */
    int64_t (*wall)(struct world *world); /* since 1970: rows and people */
    /* fn(arg) soon, not from inside this call; what arrived in one round is handled in one. */
    void (*defer)(struct world *world, world_fn *fn, void *arg);
    /* A one-shot timer, unarmed. */
    struct world_timer *(*timer_new)(struct world *world, world_fn *fn, void *arg);
    void (*timer_set)(struct world_timer *timer, int64_t after_us); /* arms, or arms again */
    void (*timer_stop)(struct world_timer *timer);
    void (*timer_free)(struct world_timer *timer); /* takes NULL */
};

struct world {
    const struct world_ops *ops;
};

/* The daemon's. Freed by the caller after whatever uses it. */
struct world *world_loop_new(struct loop *loop);
void world_loop_free(struct world *world);
