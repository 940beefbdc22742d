/* api/commands.h: what somebody wants done, to the scheduler and back. */
#pragma once
#include "api/api.h"
#include "schema/gen/messages.h"

/* Publishes the command and answers the request: when its verdict is there by what `query` shows of
 * run `shown` (of c->worker, when it names one), 201 (200); 404, 409 or 503 when it is refused;
 * after 5 s without a verdict 202 and the state "unknown"; 503 when the queue does not take it.
 * Needs c->kind, c->id and c->run, which is its key; sets v, at and, where a token says it, by. The
 * strings are borrowed during the call only. `warnings`, texts, are taken over and told with the
 * answer when it is accepted, or not known yet; NULL = none. */
void commands_submit(struct api *api, struct http_request *req, struct command *c,
                     const struct uuid *shown, enum query_id query, json_t *warnings);
