/* tests/support/bus_script.h: one script of operations that every backend of common/bus/bus.h
 * answers alike. Uses cmocka's asserts. */
#pragma once
#include <stdbool.h>
#include "common/bus/bus.h"

struct bus_world {
    /* A new bus object on the same queue, for a producer of that name. Usable when it returns
     * (connected); closed by the script. */
    struct bus *(*open)(void *arg, const char *producer);
    /* Lets time pass until *count >= least; false when it does not come to that. */
    bool (*until)(void *arg, const int *count, int least);
    /* Lets about so much time pass. */
    void (*pass)(void *arg, int ms);
    void *arg;
};

/* Topics are named after `prefix`, so that the script can run again on the same queue. */
void bus_script(const struct bus_world *world, const char *prefix);
