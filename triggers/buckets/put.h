/* triggers/buckets/put.h: PUT /buckets/BUCKET/KEY. Stored, then announced, then answered 201. */
#pragma once
#include "common/http/server.h"

extern const struct http_upload BUCKET_PUT; /* arg: struct triggers */
