/* worker/executor/docker/body.h: an attempt as the engine's container: the body of
 * POST /containers/create (Engine API 1.41), and what is refused before it. Pure. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "worker/executor/executor.h"

#define BODY_NAME_PREFIX "leat-" /* of a container; the attempt's id follows */

#define BODY_VOLUME "/leat" /* where the volume of copied outputs is mounted */

/* Names of labels. Cleaning up looks at cluster and worker. */
#define LABEL_CLUSTER "dev.leat.cluster"
#define LABEL_WORKER  "dev.leat.worker"
#define LABEL_RUN     "dev.leat.run"
#define LABEL_STEP    "dev.leat.step"
#define LABEL_ATTEMPT "dev.leat.attempt"
#define LABEL_OUTPUTS "dev.leat.outputs" /* mounted, copied */
#define LABEL_LOG     "dev.leat.log" /* bytes of the attempt's log that are not the container's */

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
