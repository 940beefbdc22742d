#include "cli/started.h"

#include <string.h>

#include "cli/follow.h"
#include "cli/output.h"
#include "common/text/json.h"

static const struct column columns[] = {
    {"id", "/id", ALWAYS}, {"name", "/name", ALWAYS}, {"state", "/state", ALWAYS}, COLUMN_END};

int started_show(const struct given *given, const json_t *answer, struct err *err)
{
    cleanup_json json_t *run = NULL;
    const char *id = json_get_string(answer, "id", "");
    const bool follow = given_flag(given, "follow");
    if (!follow && !given_flag(given, "wait")) {
        output_object(given, answer, columns);
        return 0;
    }
    const bool taken = strcmp(json_get_string(answer, "state", ""), "unknown") == 0;
    int rc = taken ? follow_begin(id, err) : 0;
    if (rc == 0 && follow)
        rc = follow_logs(id, NULL, NULL, true, err);
    if (rc == 0)
        rc = follow_end(id, &run, err);
    if (rc < 0)
        return rc;
    output_object(given, run, columns);
    return strcmp(json_get_string(run, "state", ""), "succeeded") == 0 ? 0 : 1;
}
