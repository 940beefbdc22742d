/* common/store/config.h: the keys by which a daemon is told of its store, once for all of them. */
#pragma once
#include "common/base/config.h"
#include "common/s3/s3.h"
#include "common/store/store.h"

/* How long: who answers a person or a sender says 503 soon; who has a step's outputs waits. */
#define STORE_RETRY_SOON_US (5LL * 1000000)
#define STORE_RETRY_LONG_US (3600LL * 1000000)

#define STORE_FIELDS                                                                               \
    char *store;                                                                                   \
    char *store_endpoint, *store_region, *store_credentials;                                       \
    int store_style /* enum s3_style */

/* `what`: what this daemon keeps there. */
#define STORE_KEYS(type, what)                                                                     \
    {CONFIG_KEY(type, store, "store", CONFIG_PATH), .required = true,                              \
     .help = "folder or s3://BUCKET[/PREFIX] of " what},                                           \
        {CONFIG_KEY(type, store_endpoint, "store-endpoint", CONFIG_STRING),                        \
         .help = "URL of the S3 service (default: AWS's of the region)"},                          \
        {CONFIG_KEY(type, store_region, "store-region", CONFIG_STRING),                            \
         .help = "region of the bucket (default: AWS_REGION, else us-east-1)"},                    \
        {CONFIG_KEY(type, store_style, "store-style", CONFIG_ENUM), .fallback = "auto",            \
         .words = S3_STYLES, .help = "where the bucket's name goes: in the path or in the host"},  \
    {                                                                                              \
        CONFIG_KEY(type, store_credentials, "store-credentials", CONFIG_PATH),                     \
            .help = "file with KEY:SECRET or in the form of ~/.aws/credentials (default: the AWS " \
                    "environment variables, then that file)"                                       \
    }

/* struct store_options of a configuration with STORE_FIELDS; `retry`: how long an operation goes on
 * while the service is away, in microseconds. */
#define STORE_OPTIONS(config, retry)                                                               \
    (&(struct store_options){.endpoint = (config)->store_endpoint,                                 \
                             .region = (config)->store_region,                                     \
                             .credentials = (config)->store_credentials,                           \
                             .style = (config)->store_style,                                       \
                             .retry_us = (retry)})
