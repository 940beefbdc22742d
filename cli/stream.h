/* cli/stream.h: a run's server-sent events (docs/api.md), read until a callback has enough. A
 * broken line is taken up again where it broke, by the id of the last event. */
#pragma once
#include <stdbool.h>
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"

/* `data` is borrowed. Return false to end the stream. */
typedef bool stream_event_fn(void *arg, const char *event, const json_t *data);

/* Blocking. `query` is put behind the path ("" = none, else "?…"). Ends after the event `end`, or
 * when the callback wants no more. LEAT_EUNREACHABLE when nothing could be read for a minute. */
int stream_run(const char *run, const char *query, stream_event_fn *event, void *arg,
               struct err *err);

/* ---- the format, apart from the line (pure) ---- */
#define STREAM_LINE_MAX (1024 * 1024)
struct stream_parser {
    struct text line, name, data, id; /* id: of the last whole event that had one */
    struct text next_id;
    stream_event_fn *event;
    void *arg;
    bool ended;  /* the callback wants no more */
    bool broken; /* not what the API sends: a line that is too long, data that is no JSON */
};
/* Takes the next bytes, in any pieces. False when it is ended or broken. */
bool stream_take(struct stream_parser *p, const char *data, size_t len);
/* Forgets what is begun, for a new line; the id stays. */
void stream_again(struct stream_parser *p);
void stream_free(struct stream_parser *p);
