/* scheduler/core/change.h: the one record a batch on leat.changes. */
#pragma once
#include "scheduler/core/batch.h"

#define CHANGE_MAX        (256 * 1024) /* bytes; what does not fit makes it partial */
#define CHANGE_REASON_MAX 200          /* bytes of a reason that it carries */

/* Appends the record of everything this batch changes; nothing when it changes nothing. Every
 * batch with rows has one, so that a gap in tx_seq means a record that was missed. */
void change_append(struct batch *out);
