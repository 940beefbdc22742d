/* triggers/hooks/hooks.h: POST /hooks/SOURCE. Never 2xx before the queue has the event. */
#pragma once
#include "common/http/server.h"
#include "triggers/triggers.h"

#define HOOK_BODY_MAX (25LL * 1024 * 1024) /* GitHub's own limit */

http_handler hooks_receive; /* arg: struct triggers */
