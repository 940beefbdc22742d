/* cli/yaml.h: JSON as YAML in block style, for -o yaml. Pure. */
#pragma once
#include <jansson.h>
#include "common/base/text.h"

/* Appends the value, ending with a newline. YAML 1.1 and 1.2 readers get the same value back: text
 * that either could take for something else is quoted as JSON quotes it. */
void yaml_write(const json_t *value, struct text *out);
