/* triggers/s3/look.h: looks at the buckets of S3 sources, because a notification may be lost: MinIO
 * without a queue folder drops one that its hook does not take, versitygw always does. What came,
 * changed or went and was not told is announced by the id that the notification would have had,
 * where the vendor's data allow it (triggers/s3/notice.h). Nothing younger than 10 s is judged: its
 * notification may be on its way. What is older than the first look at a source is no news. A
 * bucket of over LOOK_OBJECTS objects is not looked at. */
#pragma once
#include "triggers/triggers.h"

#define LOOK_OBJECTS 1000000

struct looks;
struct looks *looks_open(struct triggers *t);
void looks_close(struct looks *looks); /* takes NULL */
/* Follows the catalog. */
void looks_follow(struct looks *looks);
