/* Kafka: is it reached, are Leat's topics there and whole, may we use them. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/kafka.h"
#include "common/bus/open.h"

#define PROBE_MS 1500 /* of DOCTOR_LIMIT_US */

/* ---- a broker by itself ------------------------------------------------------------------------
 */

static bool takes_connections(const char *address)
{
    struct address a;
    struct addrinfo *list = NULL;
    char port[8];
    bool taken = false;
    if (address_parse(address, &a, NULL) < 0)
        return false;
    snprintf(port, sizeof port, "%u", a.port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(a.host, port, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *i = list; i && !taken; i = i->ai_next) {
        cleanup_close int fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        taken = fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) == 0;
    }
    freeaddrinfo(list);
    return taken;
}

/* Those of the list that take no connection, "" = none. */
static void find_silent(const char *brokers, struct text *silent)
{
    cleanup_free char *copy = mem_string(brokers);
    char *save = NULL;
    for (char *b = strtok_r(copy, ",", &save); b; b = strtok_r(NULL, ",", &save))
        if (!takes_connections(b))
            text_printf(silent, "%s%s", silent->len ? ", " : "", b);
}

/* ---- what they say -----------------------------------------------------------------------------
 */

static void judge(const struct kafka_probe *p, const char *silent, struct finding *f)
{
    const bool started = p->replicas > 0; /* a scheduler has been here */
    if (*p->denied)
        found(f, DOCTOR_WRONG, "give the user these rights (docs/bus.md)",
              "Kafka: this user may not: %s", p->denied);
    else if (p->leaderless)
        found(f, DOCTOR_WRONG, "start the brokers that are missing",
              "Kafka: %d of %d partitions have no leader, %s first", p->leaderless, p->partitions,
              p->worst);
    else if (p->under_replicated)
        found(f, DOCTOR_WARNING, "start the brokers that are missing",
              "Kafka: %d of %d partitions lack a copy, %s first", p->under_replicated,
              p->partitions, p->worst);
    else if (*silent)
        found(f, DOCTOR_WARNING, "start them, or mend addresses and firewall",
              "Kafka answers, but not %s", silent);
    else if (started && *p->missing)
        found(f, DOCTOR_WARNING, "start leat-scheduler: it makes them", "Kafka lacks topics: %s",
              p->missing);
    else if (started && p->min_insync && !p->unlimited)
        found(f, DOCTOR_WRONG, "set retention.ms = -1 on leat.events: Leat deletes by itself",
              "Kafka deletes records of leat.events by age, read or not");
    else
        found(f, DOCTOR_OK, NULL, "Kafka: %d brokers, %d topics, %s", p->brokers, p->topics,
              !started        ? "nothing of Leat yet"
              : p->power_loss ? "survives power loss of one"
                              : "survives crashes of processes, not power loss (one copy, or "
                                "min.insync.replicas below 2)");
}

void doctor_kafka(const struct doctor *d, struct finding *f)
{
    struct kafka_probe probe;
    struct err err = {0};
    cleanup_text struct text silent = {0};
    const char *brokers = strstr(d->settings->bus, "//") + 2;
    find_silent(brokers, &silent);
    if (up_bus_probe(d->settings, PROBE_MS, &probe, &err) == 0)
        judge(&probe, silent.data ? silent.data : "", f);
    else
        found(f, DOCTOR_WRONG,
              "start the brokers, or mend addresses, firewall, bus-tls and bus-sasl", "%s%s%s",
              err.text, silent.len ? "; no connection is taken by " : "",
              silent.data ? silent.data : "");
}
