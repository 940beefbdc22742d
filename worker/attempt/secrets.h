/* worker/attempt/secrets.h: secrets of an attempt: asked of the API just before it starts, given as
 * files of mode 0400 in a folder in memory, gone when it has ended. The workspace has a link
 * `secrets` to that folder; `.token` in it is the attempt's own token
 * (LEAT_TOKEN_FILE). A step that wants nothing but that lists the secret `leat.token`. */
#pragma once
#include "common/base/err.h"

#include <stdbool.h>

struct attempt;
struct worker;

typedef void secrets_done(void *arg, const struct err *err); /* NULL: they are there */

/* Does the attempt name secrets, or a login for its image's registry? */
bool secrets_needed(const struct attempt *a);
/* Asks again while the API cannot be reached, for half a minute. Calls done once, later. */
void secrets_fetch(struct attempt *a, secrets_done *done, void *arg);
void secrets_remove(struct attempt *a); /* also when there are none */
void secrets_forget_login(struct attempt *a);
char *secrets_folder(const struct attempt *a); /* in memory; malloc'd */
/* Makes the worker's folder of secrets. */
int secrets_open(struct worker *w, struct err *err);
