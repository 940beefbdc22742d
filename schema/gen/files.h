/* Made by schema/gen.py from schema/files; do not edit. */

#pragma once
#include "common/schema/check.h"

extern const struct schema_node SCHEMA_COMPONENT;
extern const struct schema_node SCHEMA_LIMIT;
extern const struct schema_node SCHEMA_PIPELINE;
extern const struct schema_node SCHEMA_POOL;
extern const struct schema_node SCHEMA_SOURCE;
