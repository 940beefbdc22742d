/* common/pg/migrate.h: brings the database to the shape that this build knows (MIGRATIONS).
 * Missing migrations are applied in order, each in one transaction under an advisory lock; two that
 * run at once do no harm. */
#pragma once
#include "common/pg/pg.h"

typedef void pg_migrated(void *arg, const struct err *err, int applied);

/* LEAT_EREFUSED when an applied migration has another text than ours, or the database is newer than
 * this build; err says what to do. The connection must be up and is busy until `done`. */
void pg_migrate(struct pg *pg, pg_migrated *done, void *arg);
