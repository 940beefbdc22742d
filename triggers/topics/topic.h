/* triggers/topics/topic.h: Kafka topics of others as sources.
 *
 * A record becomes its events, these are on Leat's queue, and only then the offset is kept (in
 * Postgres, by source, cluster, topic and partition). Death between the two reads the record
 * again: its events have the same ids and the inbox drops them. So several leat-triggers may read
 * one topic; each reads all of it. There is no consumer group: nothing is skipped or handed over by
 * a broker.
 *
 * provider s3, minio: the value is a notification (triggers/s3/notice.h), whose event is the one
 * that the same source's webhook makes. provider kafka: any JSON is the data of an event of the
 * source's `type`, known by cluster, topic, partition and offset. What is neither is logged,
 * counted and passed over: it would be the same the next time.
 *
 * Reading begins at the earliest record. Where the offset that is due is no longer there, the
 * topic is not read on: the log says what to do. */
#pragma once
#include "triggers/triggers.h"

#define TOPIC_AT_ONCE 200 /* records whose events are on their way */

struct topics *topics_open(struct triggers *t);
void topics_close(struct topics *topics); /* takes NULL */
/* Follows the catalog. */
void topics_follow(struct topics *topics);
