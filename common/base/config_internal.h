/* common/base/config_internal.h: what config.c, config_file.c and config_print.c share. */
#pragma once
#include "common/base/config.h"

/* The row of a name of this length, or NULL. */
const struct config_key *config_find(const struct config_program *program, const char *name,
                                     size_t len);
/* Appends ", did you mean 'x'?" to err where a key is near enough. Returns LEAT_EINPUT. */
int config_unknown(const struct config_program *program, const char *name, struct err *err);
/* Reads `key = value` lines into *out. */
int config_read_file(const struct config_program *program, const char *path, void *out,
                     struct err *err);
/* "--listen" → "LEAT_LISTEN" */
void config_variable(const char *name, struct text *out);
bool config_holds_text(const struct config_key *key); /* its field is a char * */
