/* tests/support/cel_rows.h: tables of expressions and what they give. */
#pragma once
#include <stddef.h>
#include "common/base/mem.h"

/* An expression and its canonical JSON; "!TEXT" when it fails with a message that contains TEXT. */
struct cel_row {
    const char *source, *result;
};

/* Evaluates each row over a few fixed variables (tests/support/cel_rows.c), prints every one that
 * is wrong and fails the test when any is. */
void cel_check_rows(const struct cel_row *rows, size_t count);
#define CEL_CHECK(rows) cel_check_rows(rows, ARRAY_LEN(rows))
