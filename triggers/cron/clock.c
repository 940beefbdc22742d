#include "triggers/cron/clock.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "triggers/cron/slots.h"
#include "triggers/publish.h"

#define LOOK_US  (30 * US_PER_S) /* longest sleep: the wall clock may be set */
#define AGAIN_US (1 * US_PER_S)  /* after a publish that failed */

struct schedule {
    struct clock_cron *clock;
    char *pipeline, *trigger, *text;
    struct slots slots;
    struct zone *zone;
    int64_t pending_us; /* slot on its way; 0 = none */
    bool dropped;       /* no longer declared: freed when its publish is answered */
};

struct clock_cron {
    struct triggers *triggers;
    struct schedule **schedules;
    size_t count;
    struct loop_timer timer;
    bool reading, read_again, closed;
};

static void schedule_free(struct schedule *s)
{
    zone_free(s->zone);
    free(s->pipeline);
    free(s->trigger);
    free(s->text);
    free(s);
}

static void drop_all(struct clock_cron *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->schedules[i]->pending_us)
            c->schedules[i]->dropped = true;
        else
            schedule_free(c->schedules[i]);
    }
    free(c->schedules);
    c->schedules = NULL;
    c->count = 0;
}

static void look(void *arg);

static void look_in(struct clock_cron *c, int64_t after_us)
{
    loop_timer_start(c->triggers->loop, &c->timer, after_us, 0, look, c);
}

static void keep_slot(const struct schedule *s, int64_t slot_us)
{
    struct pg_params params = {0};
    pg_add_text(&params, s->pipeline);
    pg_add_text(&params, s->trigger);
    pg_add_time(&params, slot_us);
    pg_call(s->clock->triggers->pg, QUERY_TRIGGERS_CRON_DONE, &params, NULL, NULL);
    pg_params_free(&params);
}

static void published(void *arg, const struct uuid *id, const struct err *err)
{
    struct schedule *s = arg;
    struct clock_cron *c = s->clock;
    const int64_t slot_us = s->pending_us;
    (void)id;
    s->pending_us = 0;
    if (!err) {
        s->slots.last_us = slot_us;
        if (!s->dropped)
            keep_slot(s, slot_us);
    } else {
        log_warn("a cron slot was not taken by the queue and is tried again",
                 LOG_S("pipeline", s->pipeline), LOG_S("trigger", s->trigger), LOG_ERR(err));
    }
    if (s->dropped)
        schedule_free(s);
    else
        look_in(c, err ? AGAIN_US : 0);
}

static void publish_slot(struct schedule *s, int64_t slot_us)
{
    char slot[CLOCK_TEXT];
    clock_format(slot_us, slot);
    cleanup_json json_t *data = json_pack("{s:s, s:s}", "schedule", s->text, "slot", slot);
    cleanup_free char *origin = mem_printf("/pipelines/%s/triggers/%s", s->pipeline, s->trigger);
    cleanup_text struct text delivery = {0};
    text_append(&delivery, s->pipeline, strlen(s->pipeline) + 1);
    text_append(&delivery, s->trigger, strlen(s->trigger) + 1);
    text_puts(&delivery, slot);
    const struct draft draft = {
        .source = "cron",
        .origin = origin,
        .type = "dev.leat.cron",
        .subject = slot,
        .time_us = slot_us,
        .delivery = delivery.data,
        .delivery_len = delivery.len,
        .pipeline = s->pipeline,
        .trigger = s->trigger,
        .data = data,
    };
    s->pending_us = slot_us;
    publish_event(s->clock->triggers, &draft, published, s);
}

/* Fires what is due of one schedule; when it is to be looked at again, -1 = when its publish is
 * answered. */
static int64_t look_at(struct schedule *s, int64_t now_us)
{
    if (s->pending_us)
        return -1;
    const struct slot_due due = slots_due(&s->slots, now_us);
    if (due.passed_us) {
        s->slots.last_us = due.passed_us;
        keep_slot(s, due.passed_us);
    }
    if (due.fire_us)
        publish_slot(s, due.fire_us);
    return s->pending_us ? -1 : due.next_us;
}

static void look(void *arg)
{
    struct clock_cron *c = arg;
    const int64_t now_us = clock_wall_us();
    int64_t wait_us = LOOK_US;
    for (size_t i = 0; i < c->count; i++) {
        const int64_t next_us = look_at(c->schedules[i], now_us);
        if (next_us > 0 && next_us - now_us < wait_us)
            wait_us = next_us > now_us ? next_us - now_us : 0;
    }
    if (c->count)
        look_in(c, wait_us);
}

static struct schedule *schedule_of(struct clock_cron *c, const struct pg_rows *rows, size_t row)
{
    struct err err = {0};
    struct schedule *s = mem_alloc(sizeof *s);
    s->clock = c;
    s->pipeline = mem_string(pg_text(rows, row, 0));
    s->trigger = mem_string(pg_text(rows, row, 1));
    s->text = mem_string(pg_text(rows, row, 2));
    s->zone = zone_load(pg_text(rows, row, 3), &err);
    s->slots.zone = s->zone;
    s->slots.missed = missed_parse(pg_text(rows, row, 4));
    if (!s->zone || cron_parse(s->text, &s->slots.cron, &err) < 0) {
        log_error("a schedule cannot be followed", LOG_S("pipeline", s->pipeline),
                  LOG_S("trigger", s->trigger), LOG_ERR(&err));
        schedule_free(s);
        return NULL;
    }
    /* A new trigger begins now: what lies before it was never promised. */
    s->slots.last_us = pg_is_null(rows, row, 5) ? clock_wall_us() : pg_time(rows, row, 5);
    if (pg_is_null(rows, row, 5))
        keep_slot(s, s->slots.last_us);
    return s;
}

/* A slot that is on its way is known to the old schedule only: the new one must not fire it again
 * in vain (the inbox would drop it), so it starts behind it. */
static void carry_over(struct clock_cron *c, struct schedule *fresh)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct schedule *s = c->schedules[i];
        const int64_t at_us = s->pending_us ? s->pending_us : s->slots.last_us;
        if (strcmp(s->pipeline, fresh->pipeline) == 0 && strcmp(s->trigger, fresh->trigger) == 0 &&
            at_us > fresh->slots.last_us && !s->pending_us)
            fresh->slots.last_us = at_us;
    }
}

static void schedules_read(void *arg, const struct pg_answer *answer)
{
    struct clock_cron *c = arg;
    c->reading = false;
    if (c->closed) {
        free(c);
        return;
    }
    if (!answer->err) {
        const size_t n = pg_row_count(answer->rows);
        struct schedule **fresh = mem_array(n, sizeof(struct schedule *));
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            struct schedule *s = schedule_of(c, answer->rows, i);
            if (s) {
                carry_over(c, s);
                fresh[count++] = s;
            }
        }
        drop_all(c);
        c->schedules = fresh;
        c->count = count;
        look_in(c, 0);
    }
    if (c->read_again)
        clock_follow(c);
}

void clock_follow(struct clock_cron *c)
{
    c->read_again = c->reading;
    if (c->reading)
        return;
    c->reading = true;
    pg_call(c->triggers->pg, QUERY_TRIGGERS_CRONS, NULL, schedules_read, c);
}

struct clock_cron *clock_open(struct triggers *t)
{
    struct clock_cron *c = mem_alloc(sizeof *c);
    c->triggers = t;
    return c;
}

void clock_close(struct clock_cron *c)
{
    if (!c)
        return;
    loop_timer_stop(&c->timer);
    drop_all(c);
    c->closed = true;
    if (!c->reading)
        free(c);
}
