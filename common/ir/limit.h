/* common/ir/limit.h: limit files, how much of something the steps of all runs may use at once. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/text/yaml.h"

/* YAML document (kind: limit) -> {"name", "limit"} and "description" where given, a new reference.
 * Problems as ir_compile tells them. */
json_t *limit_compile(const struct yaml_doc *doc, const char *name, struct text *all,
                      struct err *err);
