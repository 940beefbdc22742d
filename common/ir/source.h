/* common/ir/source.h: source files, the named places that events come from. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/text/yaml.h"

/* Who can speak to Leat. `built`: this build can listen to it; `secret`: a request proves that it
 * knows one. */
/*     id            name            built  secret */
#define SOURCE_PROVIDERS(P)                                                                        \
    P(GITHUB, "github", true, true)                                                                \
    P(GITLAB, "gitlab", false, true)                                                               \
    P(BITBUCKET, "bitbucket", false, true)                                                         \
    P(GITEA, "gitea", false, true)                                                                 \
    P(S3, "s3", true, true)                                                                        \
    P(MINIO, "minio", true, true)                                                                  \
    P(GCS, "gcs", false, true)                                                                     \
    P(CLOUDEVENTS, "cloudevents", true, true)                                                      \
    P(ALERTMANAGER, "alertmanager", false, true)                                                   \
    P(GENERIC, "generic", true, true)                                                              \
    P(DIRECTORY, "directory", true, true)                                                          \
    P(KAFKA, "kafka", true, false)

enum source_provider {
#define P(id, name, built, secret) SOURCE_##id,
    SOURCE_PROVIDERS(P)
#undef P
        SOURCE_PROVIDER_COUNT,
};

const char *source_provider_name(enum source_provider provider);
int source_provider_parse(const char *name); /* -1 = none */

#define SOURCE_TYPE_USUAL      "dev.leat.hook"
#define SOURCE_SIGNATURE_USUAL "X-Signature-256"
#define SOURCE_DELIVERY_USUAL  "X-Delivery-Id"

/* YAML document (kind: source) -> {"name", "provider", "secret", "config": {…}}, a new reference.
 * "secret" is a name, and absent where there is none. "config" has every key of the provider with
 * its default filled in: directory {"bucket"}, generic {"type", "signature_header",
 * "delivery_header"}, s3 and minio {"style", "events", "look" and where given "bucket", "endpoint",
 * "region", "credentials", "prefix", "suffix", "topic", "brokers"}, kafka {"topic", "brokers",
 * "type"}; and "description" where given. Problems as ir_compile tells them. */
json_t *source_compile(const struct yaml_doc *doc, const char *name, struct text *all,
                       struct err *err);
