/* tests/support/kafka.h: a real Kafka broker for one test program, by dev/services, in a folder of
 * its own. LEAT_TEST_KAFKA=HOST:PORT takes one that runs, for a person's quick trials; tests that
 * stop it then skip loudly. Uses cmocka's asserts. */
#pragma once
#include <stdbool.h>
#include "common/bus/bus.h"
#include "common/base/loop.h"

struct test_kafka {
    char folder[64];
    char address[64]; /* HOST:PORT */
    bool borrowed;
};

/* `setting`: KEY=VALUE of the part, NULL = none. */
void test_kafka_start(struct test_kafka *kafka, const char *setting);
void test_kafka_verb(const struct test_kafka *kafka, const char *verb); /* up, down, kill */
/* SIGSTOP, SIGCONT to the broker. */
void test_kafka_signal(const struct test_kafka *kafka, int signo);
void test_kafka_remove(const struct test_kafka *kafka);

/* A bus there that has its id. */
struct bus *test_kafka_bus(struct loop *loop, const struct test_kafka *kafka);
