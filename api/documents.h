/* api/documents.h: the documents of `POST /api/v1/apply`, compiled: pipelines and sources out of
 * the text of files. Pure; what is wrong is collected, one problem a line, with its place. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/hash.h"
#include "common/base/text.h"

struct document { /* one, compiled */
    bool is_pipeline;
    char *name;
    char *file; /* a pipeline: the file as given */
    char *text; /* a pipeline: the canonical IR; a source: its config */
    char *provider, *secret;
    char hash[SHA256_HEX]; /* of a pipeline's IR */
    const char *action;    /* what the apply did with it; filled by the caller */
    int64_t number;
};

struct documents {
    struct document *items;
    size_t count, cap;
    struct text problems; /* "" = none */
};

/* `files`: [{"name", "text"}]. Every document of every file is compiled, also after a problem, so
 * that all problems are told at once. */
void documents_read(struct documents *all, const json_t *files);
void documents_free(struct documents *all);
