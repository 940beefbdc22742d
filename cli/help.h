/* cli/help.h: --help, made from the tables. */
#pragma once
#include "cli/verb.h"
#include "common/base/text.h"

void help_all(struct text *out);                           /* leat --help */
void help_document(struct text *out);                      /* docs/cli.md */
void help_verb(const struct verb *verb, struct text *out); /* leat VERB --help */
