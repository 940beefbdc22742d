#include "cli/params.h"

#include <string.h>

#include "common/base/mem.h"

int params_given(const struct given *given, json_t *params, struct err *err)
{
    const char *pair;
    for (size_t i = 0; (pair = given_nth(given, "param", i)) != NULL; i++) {
        const char *equals = strchr(pair, '=');
        if (!equals || equals == pair)
            return err_set(err, LEAT_EUSAGE, "-p %s: give NAME=VALUE", pair);
        cleanup_free char *name = mem_bytes(pair, (size_t)(equals - pair));
        if (json_object_set_new(params, name, json_string(equals + 1)) != 0)
            return err_set(err, LEAT_EINPUT, "-p %s: is not UTF-8", name);
    }
    return 0;
}
