/* common/ir/value.h: the types of parameters and typed outputs. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/ir/ir.h"

/* For words_of messages: "string", "integer", …; ends with NULL, in the order of enum ir_type. */
extern const char *const IR_TYPE_NAMES[];
int ir_type_parse(const char *name); /* -1 = none */

/* Is the value of this type? LEAT_EINPUT says what it is instead; LEAT_ELIMIT when its text is over
 * IR_OUTPUT_VALUE_MAX. An integer is a number too. */
int ir_value_check(enum ir_type type, const json_t *value, struct err *err);
/* Equal as values: 1 equals 1.0. */
bool ir_value_equal(const json_t *a, const json_t *b);
/* "a string", "an object", …: what a JSON value is, for messages. */
const char *ir_json_kind(const json_t *value);
