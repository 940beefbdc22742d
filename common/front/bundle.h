/* common/front/bundle.h: files that are compiled together: those to apply, and what they use.
 * A pipeline may be a part of another of the same bundle, in any order. Whatever is not in it is
 * asked of the caller. Pure, but for what the caller does when it is asked. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/ir/ir.h"

#define BUNDLE_PARTS_MAX 1000

struct bundle;

/* Called as ir_resolver.find, for what the bundle has not; NULL = there is no more than that. */
typedef int bundle_find(void *arg, enum ir_reference kind, const char *reference, const char *from,
                        struct ir_found *out, struct err *err);

struct bundle *bundle_new(bundle_find *find, void *arg);
void bundle_free(struct bundle *b); /* takes NULL */

/* Every document of a file; its problem, when it is no YAML, goes into `problems`, a line each. */
void bundle_add(struct bundle *b, const char *name, const char *text, struct text *problems);
/* A component file, by the path or address that `uses` leads to. Copied. */
void bundle_add_part(struct bundle *b, const char *name, const char *text);
bool bundle_has_part(const struct bundle *b, const char *name);

size_t bundle_count(const struct bundle *b);               /* documents, in order of the files */
const char *bundle_kind(const struct bundle *b, size_t i); /* "pipeline", "source", "limit", … */
const char *bundle_file(const struct bundle *b, size_t i); /* the name of its file */
const char *bundle_text(const struct bundle *b, size_t i); /* all of its file */

/* One document compiled by its kind: a pipeline's IR, what source_compile or plain_compile give, or
 * a component as it is written, which is a part of the bundle too; a new reference. NULL and a line
 * or more in `problems`. */
json_t *bundle_compile(struct bundle *b, size_t i, struct text *problems);

/* What documents and parts name, each once and in order of the text: for pipelines "NAME" or
 * "NAME@VERSION" that are not in the bundle, for components paths and addresses that it has no part
 * of, for limits names. So that a caller who cannot be asked while it compiles may fetch all of it
 * before. */
typedef void bundle_reference(void *arg, enum ir_reference kind, const char *name);
void bundle_missing(const struct bundle *b, bundle_reference *each, void *arg);
