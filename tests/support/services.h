/* tests/support/services.h: the real services of dev/services, for C tests. */
#pragma once
#include <stdbool.h>

#define SERVICE_VALUE 256

/* `dev/services VERB NAME --dir FOLDER`, then `more` (ends with NULL; may be NULL). Its output is
 * kept in FOLDER/NAME.out. false when it failed; what it said is on standard error then. */
bool service_run(const char *verb, const char *name, const char *folder, const char *const *more);
/* KEY=VALUE of what the last `up` of NAME printed; fails the test when there is none. */
void service_value(const char *name, const char *folder, const char *key, char out[SERVICE_VALUE]);
/* Is what NAME-VERSION needs in the cache? Where it has to be built, that takes minutes, so tests
 * build it only with LEAT_TEST_FETCH=1 and skip otherwise, saying so. */
bool service_cached(const char *name_version);
