/* common/bus/doorbell.h: wakes readers of the embedded bus in other processes of this machine.
 * A reader binds one datagram socket a topic in a common folder, a producer sends one byte to each
 * socket of its topic. A hint only: a byte may be lost, readers look by themselves too. */
#pragma once
#include "common/base/err.h"

struct doorbells;

enum { DOORBELL_RECORDS = 'r', DOORBELL_PARTITION = 'p' };

/* Makes the folder when it is missing. NULL with LEAT_EIO when it cannot be used. */
struct doorbells *doorbells_open(const char *folder, struct err *err);
void doorbells_close(struct doorbells *d); /* takes NULL */

/* Rings at every reader of the topic; removes sockets that nobody holds any more. */
void doorbells_ring(struct doorbells *d, const char *topic, char what);

/* A bound, non-blocking socket for a reader of the topic; ends with doorbells_hang_up. */
int doorbells_listen(struct doorbells *d, const char *topic, struct err *err);
void doorbells_hang_up(int fd); /* before doorbells_close; what a crash leaves, ringers remove */
/* Takes what has been rung so far. Returns a set of the two bits below. */
enum { DOORBELL_HAS_RECORDS = 1, DOORBELL_HAS_PARTITION = 2 };
int doorbells_take(int fd);
