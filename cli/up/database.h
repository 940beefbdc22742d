/* cli/up/database.h: the connection string that `leat up` is given. It may hold a password, so it
 * never stands on a command line, where everybody on the machine can read it: neither on ours nor
 * on a daemon's. */
#pragma once
#include <libpq-fe.h>
#include "cli/verb.h"
#include "common/base/err.h"

#define UP_DATABASE_ENV "LEAT_DATABASE" /* of our environment and of the daemons' */

/* From the first that says it: --database or --database-file of `given`, LEAT_DATABASE of our own
 * environment, then the same of the `leat up` that runs (`then` and `then_env`; each may be NULL).
 * *out is malloc'd, NULL when nobody does. LEAT_EREFUSED: --database of `given` holds a password,
 * or the file is open to others; LEAT_EUSAGE, LEAT_EIO, LEAT_EINPUT: the file. Blocking. */
int up_database_find(const struct given *given, const struct given *then, const char *then_env,
                     char **out, struct err *err);

/* A connection, or NULL with one line of why: LEAT_EINPUT it is no connection string, else
 * LEAT_EUNREACHABLE. Blocks for five seconds an address, where `conninfo` does not say otherwise.
 */
PGconn *up_database_connect(const char *conninfo, struct err *err);
