/* Once a minute: the database's housekeeping, and trimming of the queue. A record is deleted when
 * it is committed (read by the leader, or by the worker it was meant for) and over age. Records
 * carry no time of their own, so each partition keeps a few samples of where it stood when.
 *
 * Orders wait for their worker: they go below what the heartbeats of its present life say it has
 * read, so that one that was silent for days reads on where it was. Nothing new is sent to a silent
 * worker, so what waits is bounded. One that was removed (`leat worker remove`), or was not heard
 * for as long as keys are kept (key-age), waits for nothing: its orders go by age alone. They are
 * starts for a life that is over and ends that its next hello is told again. */
#include "scheduler/shell/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/log.h"
#include "common/base/mem.h"

#define MINUTE_US 60000000
#define SAMPLES   9 /* over one age: what is deleted is at most 1/8 older than it must be */

struct sample {
    int64_t at_us, offset;
};

struct kept {
    char topic[BUS_TOPIC_MAX];
    int32_t partition;
    struct sample samples[SAMPLES]; /* oldest first */
    size_t count;
    int64_t trimmed;
};

struct keep {
    struct kept *items;
    size_t count, cap;
    bool housekeeping, asking;
};

struct keep *keep_new(void)
{
    return mem_alloc(sizeof(struct keep));
}

void keep_free(struct keep *keep)
{
    free(keep->items);
    free(keep);
}

static struct kept *kept_of(struct keep *keep, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < keep->count; i++)
        if (keep->items[i].partition == partition && strcmp(keep->items[i].topic, topic) == 0)
            return &keep->items[i];
    MEM_ROOM(keep->items, keep->count, keep->cap);
    struct kept *kept = &keep->items[keep->count++];
    *kept = (struct kept){.partition = partition};
    snprintf(kept->topic, sizeof kept->topic, "%s", topic);
    return kept;
}

static void sample(struct kept *kept, int64_t now, int64_t offset, int64_t age_us)
{
    if (kept->count && now - kept->samples[kept->count - 1].at_us < age_us / (SAMPLES - 1))
        return;
    if (kept->count == SAMPLES) {
        memmove(kept->samples, kept->samples + 1, (SAMPLES - 1) * sizeof kept->samples[0]);
        kept->count--;
    }
    kept->samples[kept->count++] = (struct sample){now, offset};
}

/* Everything below it was committed at least `age` ago; 0 = nothing. */
static int64_t over_age(const struct kept *kept, int64_t now, int64_t age_us)
{
    for (size_t i = kept->count; i-- > 0;)
        if (now - kept->samples[i].at_us >= age_us)
            return kept->samples[i].offset;
    return 0;
}

static void trimmed(void *arg, const struct err *err)
{
    (void)arg;
    if (err)
        log_warn("records over age not deleted", LOG_ERR(err));
}

/* `read`: nothing from there on is deleted. */
static void keep_partition(struct shell *shell, const char *topic, int32_t partition,
                           int64_t offset, int64_t read, int64_t age_us)
{
    int64_t now = shell_mono(shell);
    struct kept *kept = kept_of(shell->keep, topic, partition);
    sample(kept, now, offset, age_us);
    int64_t below = over_age(kept, now, age_us);
    if (below > read)
        below = read;
    if (below <= kept->trimmed)
        return;
    kept->trimmed = below;
    shell->bus->ops->trim(shell->bus, kept->topic, partition, below, trimmed, NULL);
}

static void keep_read_topics(struct shell *shell)
{
    for (int kind = 0; kind < INTAKE_KINDS; kind++) {
        size_t count;
        const struct intake_mark *marks =
            intake_marks(&shell->intake, (enum intake_kind)kind, &count);
        int64_t age =
            kind == INTAKE_EVENTS ? shell->config.event_age_us : shell->config.message_age_us;
        for (size_t i = 0; i < count; i++)
            keep_partition(shell, intake_topic((enum intake_kind)kind), marks[i].partition,
                           marks[i].committed, marks[i].committed, age);
    }
}

/* By those whom the topic is written for. The changes are hints: nobody is waited for. */
static int64_t read_of(struct shell *shell, const char *topic)
{
    if (strcmp(topic, TOPIC_CHANGES) == 0)
        return INT64_MAX;
    int64_t wall = shell->world->ops->wall(shell->world);
    return core_orders_read(shell->core, topic + strlen(TOPIC_ORDERS_PREFIX),
                            wall - shell->config.ages.keys_us);
}

static void ends_taken(void *arg, const struct err *err, const struct bus_position *ends, size_t n)
{
    struct shell *shell = arg;
    shell->keep->asking = false;
    if (err || shell->state != SHELL_LEADING)
        return;
    for (size_t i = 0; i < n; i++)
        keep_partition(shell, ends[i].topic, ends[i].partition, ends[i].offset,
                       read_of(shell, ends[i].topic), shell->config.message_age_us);
}

static void keep_written_topics(struct shell *shell)
{
    if (shell->keep->asking)
        return;
    size_t count = 0;
    cleanup_free const char **names = mem_array(HASH_COUNT(shell->topics.known) + 1, sizeof *names);
    names[count++] = TOPIC_CHANGES;
    for (struct topic *t = shell->topics.known; t; t = t->hh.next)
        names[count++] = t->name;
    shell->keep->asking = true;
    shell->bus->ops->ends(shell->bus, names, count, ends_taken, shell);
}

static void housekept(void *arg, const struct err *err)
{
    struct shell *shell = arg;
    shell->keep->housekeeping = false;
    if (err)
        log_warn("housekeeping not done", LOG_ERR(err));
}

void keep_house(void *arg)
{
    struct shell *shell = arg;
    shell->world->ops->timer_set(shell->minute, MINUTE_US);
    if (shell->state != SHELL_LEADING)
        return;
    if (!shell->keep->housekeeping) {
        shell->keep->housekeeping = true;
        shell->db->ops->housekeep(shell->db, shell->world->ops->wall(shell->world),
                                  &shell->config.ages, housekept, shell);
    }
    keep_read_topics(shell);
    keep_written_topics(shell);
}
