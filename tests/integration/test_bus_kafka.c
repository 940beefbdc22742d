/* The Kafka bus on a real broker: the common script, order and exactness over a broker that is
 * killed, stopped or away, offsets that are not there, much and slow reading. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/bus/kafka.h"
#include "tests/support/bus_script.h"
#include "tests/support/kafka.h"
#include "tests/support/waiting.h"

struct fixture {
    struct test_kafka kafka;
    struct loop *loop;
};

static struct bus *open_bus(void *arg, const char *producer)
{
    struct fixture *f = arg;
    (void)producer;
    return test_kafka_bus(f->loop, &f->kafka);
}

static bool until(void *arg, const int *count, int least)
{
    return wait_for_count(((struct fixture *)arg)->loop, count, least, 20000);
}

static void pass(void *arg, int ms)
{
    wait_ms(((struct fixture *)arg)->loop, ms);
}

static int set_up(void **state)
{
    static struct fixture f;
    test_kafka_start(&f.kafka, NULL);
    f.loop = loop_new();
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    test_kafka_remove(&f->kafka);
    return 0;
}

static void script(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *prefix = mem_printf("script-%d", (int)getpid());
    bus_script(&(struct bus_world){open_bus, until, pass, f}, prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(script),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
