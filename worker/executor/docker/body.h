/* worker/executor/docker/body.h: an attempt as the engine's container: the body of
 * POST /containers/create (Engine API 1.41), and what is refused before it. Pure. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "worker/executor/executor.h"

#define BODY_NAME_PREFIX "leat-" /* of a container; the attempt's id follows */

/* Where the volume of copied outputs is mounted when the image's user is not root: new volumes are
 * root's, and the engine leaves the mode of their own top alone, so a folder for all has to be put
 * into it, which costs a third of a small container's time. Root needs none. */
#define BODY_VOLUME "/leat"

/* Names of labels. Cleaning up looks at cluster and worker. */
#define LABEL_CLUSTER "dev.leat.cluster"
#define LABEL_WORKER  "dev.leat.worker"
#define LABEL_RUN     "dev.leat.run"
#define LABEL_STEP    "dev.leat.step"
#define LABEL_ATTEMPT "dev.leat.attempt"
#define LABEL_IMAGE   "dev.leat.image"   /* as the step names it; containers are made by its id */
#define LABEL_OUTPUTS "dev.leat.outputs" /* enum body_outputs */
#define LABEL_TAKES   "dev.leat.takes"   /* {NAME: PATH} of executor_take, as JSON; absent = none */
#define LABEL_LOG     "dev.leat.log" /* bytes of the attempt's log that are not the container's */

/* How outputs come out, by the words of LABEL_OUTPUTS. */
enum body_outputs {
    OUTPUTS_MOUNTED, /* they lie in the worker's folder */
    OUTPUTS_COPIED,  /* in a volume */
    OUTPUTS_METRICS, /* so do its metrics, and nothing else is wanted */
};
enum body_outputs body_outputs_of(const char *label); /* an unknown word is OUTPUTS_COPIED */

/* What the worker allows and adds, the same for all. */
struct body_site {
    const char *cluster, *worker;
    const char *network;   /* of steps that name none */
    const char *networks;  /* that a step may name, between commas; host only when it is there */
    const char *workspace; /* nothing is mounted from outside of it and of `secrets` */
    const char *secrets;
    bool copies; /* outputs lie in a volume and are copied out */
};

/* LEAT_EINPUT says what the step may not have. */
int body_check(const struct executor_spec *spec, const struct body_site *site, struct err *err);
/* A new reference. The spec has passed body_check. `log_base`: for LABEL_LOG. */
json_t *body_make(const struct executor_spec *spec, const struct body_site *site, int64_t log_base);
/* Which image it is by its content, and whether it runs as root. */
void body_resolve(json_t *body, const char *image_id, bool root);
const char *body_label(const json_t *body, const char *name); /* "" = none */
/* `User` of an image or a container: NULL = unknown, "" = the default. */
bool body_is_root(const char *user);
