#include "cli/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"

#define AGAIN_US    (500 * US_PER_MS)
#define PATIENCE_US (60 * US_PER_S)
#define SILENCE_US  (45 * US_PER_S) /* three heartbeats of the API */
#define PROBLEM_MAX (64 * 1024)

/* ---- the format ----------------------------------------------------------------------------- */

static void dispatch(struct stream_parser *p)
{
    if (p->next_id.len > 0) {
        p->id.len = 0;
        text_puts(&p->id, p->next_id.data);
        p->next_id.len = 0;
    }
    if (p->data.len > 0) {
        cleanup_json json_t *data = json_read(p->data.data, p->data.len, NULL, NULL);
        p->broken = data == NULL;
        if (data)
            p->ended = !p->event(p->arg, p->name.len ? p->name.data : "message", data);
    }
    p->name.len = p->data.len = 0;
}

static void set(struct text *field, const char *value)
{
    field->len = 0;
    text_puts(field, value);
}

static void take_line(struct stream_parser *p, char *line)
{
    char *colon = strchr(line, ':');
    if (!*line) {
        dispatch(p);
        return;
    }
    if (!colon || colon == line)
        return; /* a comment, a field without a value */
    const char *value = colon + 1 + (colon[1] == ' ');
    *colon = '\0';
    if (strcmp(line, "event") == 0)
        set(&p->name, value);
    else if (strcmp(line, "id") == 0)
        set(&p->next_id, value);
    else if (strcmp(line, "data") == 0)
        text_puts(&p->data, value);
}

bool stream_take(struct stream_parser *p, const char *data, size_t len)
{
    while (len > 0 && !p->ended && !p->broken) {
        const char *end = memchr(data, '\n', len);
        const size_t n = end ? (size_t)(end - data) : len;
        text_append(&p->line, data, n);
        p->broken = p->line.len > STREAM_LINE_MAX;
        if (end && !p->broken) {
            if (p->line.len > 0 && p->line.data[p->line.len - 1] == '\r')
                p->line.data[p->line.len - 1] = '\0';
            take_line(p, p->line.data);
            p->line.len = 0;
        }
        data += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return !p->ended && !p->broken;
}

void stream_again(struct stream_parser *p)
{
    p->line.len = p->name.len = p->data.len = p->next_id.len = 0;
}

void stream_free(struct stream_parser *p)
{
    text_free(&p->line);
    text_free(&p->name);
    text_free(&p->data);
    text_free(&p->id);
    text_free(&p->next_id);
}

/* ---- the line ------------------------------------------------------------------------------- */

struct line {
    struct stream_parser parser;
    struct text problem;
    int64_t heard_us;
    bool through;
    stream_event_fn *event;
    void *arg;
};

static bool on_event(void *arg, const char *event, const json_t *data)
{
    struct line *l = arg;
    const bool more = l->event(l->arg, event, data);
    l->through = !more || strcmp(event, "end") == 0;
    return !l->through;
}

static bool on_piece(void *arg, int status, const void *data, size_t len)
{
    struct line *l = arg;
    if (status == 200) {
        l->heard_us = clock_monotonic_us();
        return stream_take(&l->parser, data, len);
    }
    text_append(&l->problem, data, len);
    return l->problem.len < PROBLEM_MAX;
}

/* One line, until it breaks. 0 = look whether it is through, < 0 = another would not help. */
static int read_line(struct line *l, const char *path, struct err *err)
{
    struct err why = {0};
    l->problem.len = 0;
    stream_again(&l->parser);
    const struct client_stream call = {.last_event_id = l->parser.id.len ? l->parser.id.data : "",
                                       .silence_us = SILENCE_US,
                                       .piece = on_piece,
                                       .arg = l,
                                       .problem = &l->problem};
    const int rc = client_stream(path, &call, &why);
    if (l->parser.broken)
        return err_set(err, LEAT_EINTERNAL, "%s sends what is no stream of a run", client_url());
    if (rc >= 0 || why.code == LEAT_EUNREACHABLE) {
        if (l->through || clock_monotonic_us() - l->heard_us < PATIENCE_US)
            return 0;
        return err_set(err, LEAT_EUNREACHABLE, "%s",
                       why.code ? why.text : "the stream ends again and again");
    }
    return err_set(err, why.code, "%s", why.text);
}

int stream_run(const char *run, const char *query, stream_event_fn *event, void *arg,
               struct err *err)
{
    struct line l = {.event = event, .arg = arg, .heard_us = clock_monotonic_us()};
    cleanup_free char *base = client_path("/api/v1/runs/%s/events", run);
    cleanup_free char *path = mem_printf("%s%s", base, query);
    l.parser.event = on_event;
    l.parser.arg = &l;
    int rc = 0;
    while (rc == 0 && !l.through) {
        rc = read_line(&l, path, err);
        if (rc == 0 && !l.through)
            usleep(AGAIN_US);
    }
    stream_free(&l.parser);
    text_free(&l.problem);
    return rc;
}
