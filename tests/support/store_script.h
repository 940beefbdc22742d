/* tests/support/store_script.h: one script of operations that every backend of common/store/store.h
 * answers alike. Uses cmocka's asserts. */
#pragma once
#include <stdint.h>
#include "common/base/text.h"
#include "common/store/store.h"

/* Runs all of it on a store that has nothing below its place yet; `folder` is an empty scratch
 * folder, `part` the size above which the store sends in parts (for the sizes that are tried).
 * What was answered is appended to `told`, a line each without times or places: two backends are
 * alike when their texts are. */
void store_script(const char *where, const struct store_options *options, const char *folder,
                  int64_t part, struct text *told);
