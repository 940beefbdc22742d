/* cli/started.h: what the verbs that start a run do with it: run, retry, rerun. */
#pragma once
#include <jansson.h>
#include "cli/verb.h"

#define STARTED_OPTIONS                                                                            \
    {"wait", 0, NULL, false, "until it ends; exit 1 unless it succeeded"},                         \
    {                                                                                              \
        "follow", 0, NULL, false, "print its logs, then as --wait"                                 \
    }

/* Shows the run that `answer` tells of, with --wait and --follow when it has ended. Returns the
 * exit status, or < 0. Blocking. */
int started_show(const struct given *given, const json_t *answer, struct err *err);
