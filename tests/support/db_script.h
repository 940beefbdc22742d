/* tests/support/db_script.h: one script of operations that every backend of
 * scheduler/shell/db.h answers alike. Uses cmocka's asserts. */
#pragma once
#include <stdbool.h>
#include "scheduler/shell/db.h"

struct db_world {
    /* A new db object on the same database, as another scheduler would open it; usable when it
     * returns (connected). Closed by the script. */
    struct db *(*open)(void *arg);
    /* Called once somebody leads and has migrated: makes the topics leat.changes and
     * leat.orders.w1, and pipeline "p" (gen 1, next number 1) with version "h1" (IR {}). */
    void (*prepare)(void *arg);
    /* Lets time pass until *count >= least; false when it does not come to that. */
    bool (*until)(void *arg, const int *count, int least);
    void *arg;
};

/* Begins on a database that nobody has ever led. */
void db_script(const struct db_world *world);

/* ---- single operations, waited for: for tests of one backend -------------------------------- */
struct db_step {
    const struct db_world *w;
    struct db *db;
};
struct err;
int db_step_take_over(const struct db_step *s, int64_t epoch, int64_t at_least,
                      struct db_leadership *now);
int db_step_migrate(const struct db_step *s);
enum db_outcome db_step_commit(const struct db_step *s, const struct batch *batch);
int db_step_probe(const struct db_step *s, int64_t epoch, struct db_leadership *now);
struct snapshot *db_step_load(const struct db_step *s);
extern const struct uuid DB_STEP_BUS; /* the bus id that all of them use */

/* A run with `steps` steps: placed on w1, with an order each; and later their results. */
void db_step_place(struct batch *b, const struct uuid *run, int steps);
void db_step_finish(struct batch *b, const struct uuid *run, int steps);
