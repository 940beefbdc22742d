/* scheduler/core/catalog.h: pipelines and their versions. */
#pragma once
#include "scheduler/core/state.h"

/* Takes in what is new; never lowers a pipeline's next number. */
void catalog_learn(struct core *core, const struct snapshot *delta);
/* Forgets versions and learned runs that nothing uses. */
void catalog_forget(struct core *core);
void catalog_free(struct core *core);

struct pipeline *pipeline_find(struct core *core, const char *name); /* NULL = unknown */
/* Finds or makes it: a live run of a pipeline that the catalog does not list still has one. */
struct pipeline *pipeline_get(struct core *core, const char *name);
int64_t pipeline_take_number(struct core *core, struct pipeline *p);
void pipelines_flush_numbers(struct core *core, struct batch *out);

struct version *version_find(struct core *core, const char *pipeline, const char *hash);
/* Finds it, or makes one that is broken: its runs fail with that reason. */
struct version *version_get(struct core *core, const char *pipeline, const char *hash);
void version_unref(struct core *core, struct version *v); /* takes NULL */
