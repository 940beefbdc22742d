/* cli/context.h: which Leat a verb calls. The contexts file holds named ones with their tokens:
 * $XDG_CONFIG_HOME/leat/contexts.json (default ~/.config/leat/contexts.json), mode 0600,
 *   {"current": "prod", "contexts": {"prod": {"url": "https://…", "token": "…"}}} */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include "cli/verb.h"

#define CONTEXT_NAME_MAX  64
#define CONTEXT_TOKEN_MAX 4096
#define CONTEXTS_MAX      200

/* The whole file; an empty one when there is none. New reference. NULL with LEAT_EINPUT (its text
 * names the file) or LEAT_EREFUSED when others may read it. */
json_t *contexts_read(struct err *err);

/* Changes the file: `change` gets its content under a lock, and what it leaves is written beside
 * it, flushed and renamed: a crash leaves the old or the new. Blocking. */
typedef int context_change(json_t *all, void *arg, struct err *err);
int contexts_change(context_change *change, void *arg, struct err *err);

/* Decides for this process, into LEAT_URL and LEAT_TOKEN: --url or --context, LEAT_URL or
 * LEAT_CONTEXT, the current context, nothing (the default). A context's token goes to that
 * context's URL alone; LEAT_TOKEN is sent wherever no context was asked for by option.
 * LEAT_ENOTFOUND when there is no such context. */
int context_choose(const struct given *given, struct err *err);
/* The same with the two options' values; NULL = not given. */
int context_choose_named(const char *url, const char *asked, struct err *err);

/* "http://HOST…" or "https://HOST…" without white space, control characters, '?', '#' or "USER@".
 */
int context_check_url(const char *url, struct err *err);
/* 1 to CONTEXT_TOKEN_MAX printable ASCII characters. */
int context_check_token(const char *token, struct err *err);
