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
    int rc = follow ? follow_logs(id, NULL, NULL, true, err) : 0;
    if (rc == 0)
        rc = follow_end(id, &run, err);
    if (rc < 0)
        return rc;
    output_object(given, run, columns);
    return strcmp(json_get_string(run, "state", ""), "succeeded") == 0 ? 0 : 1;
}
