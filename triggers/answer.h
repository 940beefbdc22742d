/* triggers/answer.h: the answers that hooks and uploads share. */
#pragma once
#include "common/base/uuid.h"
#include "common/http/server.h"
#include "triggers/triggers.h"

/* err NULL: `status` with {"event": ID} and, where given, "version". Otherwise 503 with
 * Retry-After: whatever kept the queue from taking it, the sender may send it again. */
void answer_event(struct http_request *req, int status, const struct uuid *event,
                  const char *version, const struct err *err);

http_handler answer_health, answer_metrics; /* arg: struct triggers */
