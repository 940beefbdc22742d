/* cli/up/prepare.h: what must be there before the first process starts. */
#pragma once
#include "cli/up/settings.h"

/* Makes the user (as root, when absent), the folders with their owners and modes, and puts the
 * programs into DATA/bin, where that user can read them. Blocking; may be repeated. */
int up_prepare(const struct up_settings *settings, struct err *err);

/* Names of the programs of one build; ends with NULL. */
extern const char *const UP_PROGRAMS[];
/* The folder of this program, malloc'd; NULL with err. */
char *up_own_folder(struct err *err);

/* As root: becomes the user for good (groups, ids, HOME). Otherwise nothing. */
int up_become_user(const struct up_settings *settings, struct err *err);

/* Runs argv to its end without a shell; output to `log_path` (appended). LEAT_EIO names the
 * program, its status and where its output is. */
int up_run(const char *const *argv, const char *log_path, struct err *err);
