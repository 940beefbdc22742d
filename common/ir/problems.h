/* common/ir/problems.h: what is wrong with a file, each problem with its place in it. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/text/yaml.h"

#define PROBLEMS_KEPT 200 /* more are only counted */

struct problem {
    const char *file; /* borrowed */
    bool main;        /* of the file that all is about, told before those of what it uses */
    int line, column;
    size_t order; /* in which they were found: keeps equal places apart */
    char *text;
};

struct problems {
    const struct yaml_doc *doc; /* where pointers lead; may change on the way, with its file */
    const char *file;
    bool main;
    struct problem *items;
    size_t count, cap;
    size_t found; /* those not kept too */
};

/* At the value that `pointer` names, or at the key of it. The same words at the same place are one
 * problem. */
void problem_at(struct problems *p, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problem_at_key(struct problems *p, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problem_vat(struct problems *p, const char *pointer, const char *fmt, va_list ap);
bool problems_full(const struct problems *p); /* what comes now is only counted */

/* 0 when there are none. Otherwise LEAT_EINPUT with the first (of the main file, if there is one)
 * as "FILE:LINE:COLUMN: text", and up to `most` of them in `all` (may be NULL), one a line. */
int problems_tell(struct problems *p, size_t most, struct text *all, struct err *err);
void problems_free(struct problems *p); /* back to empty */
