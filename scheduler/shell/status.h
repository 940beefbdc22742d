/* scheduler/shell/status.h: what the scheduler tells of itself: /metrics and /healthz. */
#pragma once
#include "common/base/loop.h"
#include "scheduler/shell/shell.h"

struct status;

/* Registers the metrics and serves them on `listen` (NULL or "" = nowhere). Outlived by loop and
 * shell. NULL and err when the address cannot be had. */
struct status *status_open(struct loop *loop, struct shell *shell, const char *listen,
                           struct err *err);
void status_close(struct status *status); /* takes NULL */
