/* common/ir/plain.h: documents that are what they say, without references: limits and pools. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/text/yaml.h"

/* Is this kind one of them? */
bool plain_is(const char *kind);

/* YAML document of such a kind -> its keys without `kind`, as its schema (schema/files) has them; a
 * new reference. Problems as ir_compile tells them. */
json_t *plain_compile(const struct yaml_doc *doc, const char *kind, const char *name,
                      struct text *all, struct err *err);
