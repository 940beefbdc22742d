/* common/ir/names.h: which index has this name. Names are borrowed and must outlive the table. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct names;

struct names *names_new(void);
void names_free(struct names *names); /* takes NULL */
/* -1, or the index that the name has already: nothing is changed then. */
int32_t names_add(struct names *names, const char *name, int32_t index);
int32_t names_find(const struct names *names, const char *name); /* -1 = none */
/* Of those added, the one that was probably meant; NULL when none is near. O(all of them). */
const char *names_nearest(const struct names *names, const char *word);
size_t names_bytes(const struct names *names);
