/* tests/support/kafka.h: a real Kafka broker for one test program, by dev/services, in a folder of
 * its own. Uses cmocka's asserts. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "common/bus/bus.h"
#include "common/base/loop.h"

struct test_kafka {
    char folder[64];
    char address[64]; /* HOST:PORT */
    char secure[64];  /* with secure=1: its listener with TLS and SASL */
    char ca[128];     /* likewise: who vouches for it */
};

/* `setting`: KEY=VALUE of the part, NULL = none. */
void test_kafka_start(struct test_kafka *kafka, const char *setting);
void test_kafka_verb(const struct test_kafka *kafka, const char *verb); /* up, down, kill */
/* The same while the caller's loop goes on: starts it; waits for its end. */
pid_t test_kafka_verb_begin(const struct test_kafka *kafka, const char *verb);
void test_kafka_verb_end(pid_t pid);
/* SIGSTOP, SIGCONT to the broker. */
void test_kafka_signal(const struct test_kafka *kafka, int signo);
void test_kafka_remove(const struct test_kafka *kafka);

/* A bus there that has its id. */
struct bus *test_kafka_bus(struct loop *loop, const struct test_kafka *kafka);
