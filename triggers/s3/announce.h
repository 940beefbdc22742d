/* triggers/s3/announce.h: a state of an S3 object becomes an event.
 *
 * A source that looks at its bucket keeps a row for each key: first the row says which event is
 * about to be published, then it is published, then the row says that it was. So whatever dies
 * between, the next look publishes the same event again, and what was told by a notification is
 * not announced a second time by a look, nor the other way round. A source that does not look
 * publishes at once: its sender repeats what was not answered 2xx. */
#pragma once
#include "triggers/catalog.h"
#include "triggers/publish.h"
#include "triggers/s3/notice.h"

/* Does it look? It has a bucket and credentials. */
bool s3_looks(const struct source *source);

/* How far the times of a notification and of a listing of the same state may be apart, µs: none at
 * MinIO, which tells Last-Modified in both; others round to seconds and tell when it was over. */
int64_t s3_apart_us(enum s3_vendor vendor);

/* Calls back later from the loop, exactly once, as publish_event. Borrows until it returns.
 * `listed`: a look found it; `delivery` is then what the row says, or NULL = the notice's own. */
void s3_announce(struct triggers *t, const struct source *source, const struct s3_notice *notice,
                 bool listed, const char *delivery, published_fn *done, void *arg);
