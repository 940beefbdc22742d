/* common/text/yaml.h: YAML 1.2 files (core schema) as JSON values that know where they stood.
 * Pure and re-entrant.
 *
 * Read as in the core schema: null ~ and empty, true false, decimal, 0o and 0x integers, floats.
 * So `on:`, `yes` and `no` are strings. Refused, each with its place: duplicate keys (both places
 * named), keys that are not strings (quote them), merge keys `<<`, tags beyond !!str !!int !!float
 * !!bool !!null !!map !!seq, .inf and .nan, integers over 64 bits, \0, an alias inside its own
 * anchor. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "common/base/err.h"

#define YAML_DEPTH_MAX 64      /* sequences and mappings inside one another */
#define YAML_NODES_MAX 200000  /* per file, aliases expanded */
#define YAML_BYTES_MAX 1048576 /* what callers enforce on files of theirs before reading */

struct yaml_places; /* where each member and element stood */

struct yaml_doc {
    json_t *value; /* owned by the doc; incref to keep it longer */
    int line;      /* of the document's first node, from 1 */
    struct yaml_places *places;
};

struct yaml_docs {
    struct yaml_doc *items;
    size_t count;
};

/* Reads every document of `data` (UTF-8). Documents without content are left out, so a file of
 * comments gives count 0. `name` is only for messages. Fills `out` on success; otherwise leaves it
 * empty and returns LEAT_EINPUT or LEAT_ELIMIT with "NAME:LINE:COLUMN: what to do". */
int yaml_read(const char *name, const char *data, size_t len, struct yaml_docs *out,
              struct err *err);
void yaml_docs_free(struct yaml_docs *docs); /* back to empty */
#define cleanup_yaml __attribute__((cleanup(yaml_docs_free)))

/* Where the value at `pointer` (RFC 6901) begins; lines and columns count from 1. When there is
 * no such value, or it came through an alias, the nearest parent that stands in the text is given
 * instead and the result is false. The tree must not have been changed since yaml_read. */
bool yaml_locate(const struct yaml_doc *doc, const char *pointer, int *line, int *column);
/* The same for the key of the member at `pointer` (an element's own place in a sequence). */
bool yaml_locate_key(const struct yaml_doc *doc, const char *pointer, int *line, int *column);
