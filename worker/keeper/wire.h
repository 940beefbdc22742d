/* worker/keeper/wire.h: what worker and keeper say to each other over the keeper's socket.
 * A stream of frames: uint32 length of what follows, uint8 kind, fields in the machine's byte
 * order (both ends are on one machine). Texts are length, bytes, NUL, so that argv and environment
 * arrive byte for byte. A connection begins with WELCOME, one STARTED or EXITED for each attempt
 * that the keeper knows, and LISTED; after that events follow as they happen. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

#define KEEPER_VERSION   1
#define KEEPER_FRAME_MAX (512 * 1024)
#define KEEPER_ARGS_MAX  (256 * 1024) /* bytes of argv and environment together */
#define KEEPER_REASON    240          /* bytes of a reason, the NUL included */

/* Names in the worker's data folder. */
#define KEEPER_SOCKET "keeper.sock"
#define KEEPER_TABLE  "keeper.table"
#define KEEPER_LOCK   "keeper.lock"
#define KEEPER_LOG    "keeper.log"
#define KEEPER_PID    "keeper.pid"

enum keeper_kind {
    /* worker to keeper */
    KEEPER_START = 1, /* answered by STARTED or EXITED; asked again: only answered */
    KEEPER_STOP,      /* TERM, grace, KILL; EXITED follows */
    KEEPER_LEASE,     /* the lease's new end, for all attempts */
    KEEPER_FORGET,    /* of an attempt that has exited */
    KEEPER_QUIT,      /* end yourself as soon as you hold nothing */
    /* keeper to worker */
    KEEPER_WELCOME,
    KEEPER_STARTED,
    KEEPER_EXITED,
    KEEPER_LISTED,
};

/* Everything is borrowed: the caller's when encoding, the frame's when decoding, except the two
 * arrays of a decoded one (keeper_start_clear). */
struct keeper_start {
    struct uuid attempt;
    int64_t log_limit;     /* bytes */
    int64_t timeout_us;    /* 0 = none */
    int64_t grace_us;      /* TERM to KILL */
    int64_t fuse_slack_us; /* ended this long after the lease's end; < 0 = no fuse */
    int64_t lease_end_us;  /* CLOCK_BOOTTIME */
    const char *workdir;   /* absolute */
    const char *log_path;  /* absolute; made at the first byte */
    const char **argv;     /* ends with NULL, at least one */
    const char **env;      /* ends with NULL */
};

enum keeper_flags {
    KEEPER_TIMED_OUT = 1,
    KEEPER_FUSED = 2,
    KEEPER_STOPPED = 4,   /* by KEEPER_STOP */
    KEEPER_TRUNCATED = 8, /* the log hit its limit or could not be written */
    KEEPER_LOST = 16,     /* an earlier keeper died while it ran; killed, its status is unknown */
    KEEPER_NO_EXEC = 32,  /* the program could not be started */
};

struct keeper_exit {
    int32_t exit_code;               /* 0..255, 128+N for signal N */
    uint32_t flags;                  /* enum keeper_flags */
    int64_t started_us, finished_us; /* wall */
    int64_t log_bytes;
    char reason[KEEPER_REASON]; /* "" = nothing to add */
};

/* One frame as read; `exit` is good for EXITED, `start` for START. */
struct keeper_frame {
    enum keeper_kind kind;
    struct uuid attempt; /* STOP, FORGET, STARTED, EXITED */
    int64_t number;      /* STOP: grace; LEASE: its end; WELCOME: version; STARTED: wall time */
    int32_t pid;         /* WELCOME: the keeper's; STARTED: the process's */
    struct keeper_exit exit;
    struct keeper_start start;
};

/* Append one frame. keeper_put_start: LEAT_ELIMIT when argv and environment pass the limit. */
int keeper_put_start(struct text *out, const struct keeper_start *start, struct err *err);
void keeper_put(struct text *out, enum keeper_kind kind, const struct uuid *attempt, int64_t number,
                int32_t pid);
void keeper_put_exit(struct text *out, const struct uuid *attempt, const struct keeper_exit *exit);

/* Reads the frame at data[0, len). Returns the bytes it took, 0 when it is not whole yet, or
 * LEAT_EINPUT for what is no frame. A START's arrays are the caller's to clear. */
int64_t keeper_get(const void *data, size_t len, struct keeper_frame *out, struct err *err);
void keeper_start_clear(struct keeper_start *start);

/* A socket connected to, or (listening) bound at, DIR/KEEPER_SOCKET; the folder's path may be
 * longer than a socket's name allows. Returns the fd, or < 0: LEAT_EUNREACHABLE when nobody
 * listens. */
int keeper_connect(const char *dir, struct err *err);
int keeper_listen(const char *dir, struct err *err);
