/* worker/executor/keeper_link.h: the worker's end of the connection to its keeper. Connects, starts
 * a keeper when none answers, and does so again when the keeper is gone. */
#pragma once
#include "common/base/loop.h"
#include "common/base/text.h"
#include "worker/keeper/wire.h"

struct keeper_link;

struct keeper_link_events {
    /* A frame, in the order they came; good during the call. WELCOME begins a connection. */
    void (*frame)(void *arg, const struct keeper_frame *frame);
    void (*down)(void *arg); /* the connection is gone; what was not sent is dropped */
};

/* Connects from the loop. Copies dir and program. */
struct keeper_link *keeper_link_open(struct loop *loop, const char *dir, const char *program,
                                     const struct keeper_link_events *events, void *arg);
void keeper_link_close(struct keeper_link *link); /* the keeper goes on; takes NULL */

bool keeper_link_up(const struct keeper_link *link);
/* Where frames are appended; they leave together at the end of the loop's iteration. NULL while
 * the link is down. */
struct text *keeper_link_out(struct keeper_link *link);
void keeper_link_flush(struct keeper_link *link); /* now; for the last word of a process */
