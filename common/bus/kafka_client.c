/* One librdkafka handle on the loop: its queues ring an eventfd, its events are taken here, and it
 * is destroyed on the pool, because that waits for its threads. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/bus/kafka_internal.h"

#define EVENTS_A_TURN 500

static void destroy(void *arg)
{
    struct kafka_client *c = arg;
    rd_kafka_queue_destroy(c->queue);
    rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void destroyed(void *arg)
{
    struct kafka_client *c = arg;
    close(c->fd);
    kafka_told_free(c);
    free(c);
}

void kafka_client_hold(struct kafka_client *c)
{
    c->refs++;
}

void kafka_client_release(struct kafka_client *c)
{
    if (--c->refs == 0)
        loop_work(c->loop, destroy, destroyed, c);
}

static void ring(struct kafka_client *c)
{
    const uint64_t one = 1;
    (void)!write(c->fd, &one, sizeof one);
}

static void take(struct kafka_client *c, rd_kafka_event_t *event)
{
    char why[8];
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LOG:
        kafka_tell_log(c, event);
        return;
    case RD_KAFKA_EVENT_STATS:
        kafka_tell_statistics(c, rd_kafka_event_stats(event));
        return;
    case RD_KAFKA_EVENT_ERROR:
        kafka_tell_error(c, event);
        if (!rd_kafka_fatal_error(c->rk, why, sizeof why))
            return;
        break;
    default:
        break;
    }
    c->event(c->arg, event);
}

/* Level-triggered by hand: the fd is emptied first, so that what comes while we read rings again.
 */
static void woken(void *arg, int events)
{
    struct kafka_client *c = arg;
    uint64_t rung;
    (void)events;
    kafka_client_hold(c);
    (void)!read(c->fd, &rung, sizeof rung);
    int taken = 0;
    rd_kafka_event_t *event;
    while (!c->closed && taken < EVENTS_A_TURN && (event = rd_kafka_queue_poll(c->queue, 0))) {
        take(c, event);
        rd_kafka_event_destroy(event);
        taken++;
    }
    if (taken == EVENTS_A_TURN)
        ring(c);
    if (!c->closed && c->woken)
        c->woken(c->arg);
    kafka_client_release(c);
}

void kafka_client_wake(struct kafka_client *c, rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, c->fd, &one, sizeof one);
}

struct kafka_client *kafka_client_open(struct loop *loop, const struct kafka_options *options,
                                       rd_kafka_type_t type, kafka_event_fn *event,
                                       loop_fn *also_woken, void *arg, struct err *err)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = kafka_conf(options, type, err);
    if (!conf)
        return NULL;
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        err_set(err, LEAT_EINPUT, "Kafka: %s", why);
        return NULL;
    }
    struct kafka_client *c = mem_alloc(sizeof *c);
    *c = (struct kafka_client){.loop = loop,
                               .rk = rk,
                               .event = event,
                               .woken = also_woken,
                               .arg = arg,
                               .refs = 1,
                               .scram = options->sasl >= KAFKA_SASL_SCRAM256};
    rd_kafka_set_log_queue(rk, NULL); /* to the main queue */
    c->queue = rd_kafka_queue_get_main(rk);
    c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->fd < 0 || loop_fd_start(loop, &c->watch, c->fd, LOOP_READ, woken, c, err) < 0) {
        err_errno(err, errno, "eventfd");
        kafka_client_release(c);
        return NULL;
    }
    kafka_client_wake(c, c->queue);
    ring(c); /* what came before */
    return c;
}

void kafka_client_close(struct kafka_client *c)
{
    if (!c || c->closed)
        return;
    c->closed = true;
    loop_fd_stop(&c->watch);
    rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
    kafka_client_release(c);
}
