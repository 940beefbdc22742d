/* api/documents.h: the documents of `POST /api/v1/apply`, compiled: pipelines, sources, limits and
 * pools out of the text of files, with the component files that were sent along. Pure; what is
 * wrong is collected, one problem a line, with its place. First everything is opened, then the
 * pipelines of the catalog that it names are given, then it is compiled. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/front/bundle.h"

enum document_kind { DOCUMENT_PIPELINE, DOCUMENT_SOURCE, DOCUMENT_LIMIT, DOCUMENT_POOL };

struct document { /* one, compiled */
    enum document_kind kind;
    char *name;
    char *file;              /* a pipeline: the file as given */
    char *text;              /* a pipeline: the canonical IR; a source: its config; a pool: its
                                path, NULL = none */
    char *provider, *secret; /* a source */
    int64_t limit;           /* a limit; a pool: its slots, -1 = any number */
    char *description;       /* a limit, a pool; NULL = none */
    char hash[SHA256_HEX];   /* of a pipeline's IR */
    const char *action;      /* what the apply did with it; filled by the caller */
    int64_t number;
};

struct documents {
    struct document *items;
    size_t count, cap;
    struct text problems; /* "" = none */
    struct bundle *bundle;
    json_t *missing; /* ["NAME" | "NAME@VERSION"]: pipelines that the documents name */
    json_t *catalog; /* what was given of them: {REFERENCE: IR text | {"why": text}} */
    json_t *limits;  /* {NAME: whether it is there}: limits that they name */
    json_t *images;  /* {NAME: digest}; NULL = images stay as they are named */
    json_t *pools; /* {NAME: "PIPELINE: step STEP"}: pools that steps name and no document is, with
                      the first that does; once it is compiled */
};

const char *document_kind_name(enum document_kind kind);

/* `files`, `parts`: [{"name", "text"}]; parts may be NULL. `images`: {NAME: digest} of all that are
 * named without one; NULL = they stay as they are named. Fills `missing`. */
void documents_open(struct documents *all, const json_t *files, const json_t *parts,
                    json_t *images);
/* One of `missing`: its IR, or NULL and why it is not there. */
void documents_give(struct documents *all, const char *reference, const char *ir, const char *why);
void documents_give_limit(struct documents *all, const char *name); /* it is there */
/* Every document of every file, also after a problem, so that all problems are told at once.
 * Components are parts only: they make no item. */
void documents_compile(struct documents *all);
void documents_free(struct documents *all);
