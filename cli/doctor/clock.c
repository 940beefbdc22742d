/* The wall clock, against those of Postgres and the API: cron fires by it, people read by it. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "cli/doctor/doctor.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/text/zone.h"
#include "schema/gen/queries.h"

#define APART_WARNING_US (2 * US_PER_S)
#define APART_WRONG_US   (30 * US_PER_S)
#define YEAR_2025        1735689600LL
#define NTP              "let it be set: apt-get install systemd-timesyncd (or chrony)"

struct apart {
    bool known;
    int64_t us; /* theirs - ours, ours taken halfway through the question */
};

static struct apart from_postgres(const struct doctor *d)
{
    struct apart a = {0};
    long long theirs;
    PGconn *conn = doctor_postgres_sleeps(d) ? NULL : doctor_connect(d, NULL);
    if (!conn)
        return a;
    const int64_t before = clock_wall_us();
    PGresult *r = PQexec(conn, QUERIES[QUERY_DOCTOR_CLOCK].text);
    const int64_t ours = before + (clock_wall_us() - before) / 2;
    a.known = PQresultStatus(r) == PGRES_TUPLES_OK &&
              text_to_int(PQgetvalue(r, 0, 0), 0, INT64_MAX, &theirs);
    a.us = a.known ? theirs - ours : 0;
    PQclear(r);
    PQfinish(conn);
    return a;
}

/* The Date header has whole seconds: half a second is taken as its middle. */
static struct apart from_api(const struct doctor *d)
{
    struct apart a = {0};
    cleanup_free char *url = mem_printf("http://%s/healthz", d->settings->listen);
    const struct http_outgoing out = {.url = url, .timeout_us = US_PER_S / 2};
    struct http_incoming in = {0};
    if (!d->running || http_call(&out, NULL, NULL, &in, NULL) < 0)
        return a;
    const char *date = http_incoming_header(&in, "Date");
    const time_t theirs = date ? curl_getdate(date, NULL) : -1;
    a.known = theirs > 0;
    a.us = a.known ? theirs * US_PER_S + US_PER_S / 2 - clock_wall_us() : 0;
    http_incoming_free(&in);
    return a;
}

static bool judge_apart(struct apart a, const char *whose, struct finding *f)
{
    const int64_t us = a.us < 0 ? -a.us : a.us;
    if (!a.known || us <= APART_WARNING_US)
        return false;
    found(f, us > APART_WRONG_US ? DOCTOR_WRONG : DOCTOR_WARNING, NTP " on both machines",
          "%s's clock is %.1f s %s ours", whose, (double)us / US_PER_S,
          a.us > 0 ? "ahead of" : "behind");
    return true;
}

static bool is_unsynchronised(void)
{
    struct timex state = {0};
    return adjtimex(&state) >= 0 && (state.status & STA_UNSYNC);
}

void doctor_clock(const struct doctor *d, struct finding *f)
{
    const struct apart postgres = from_postgres(d), api = from_api(d);
    struct zone *zone = zone_load("Europe/Rome", NULL);
    const bool has_zones = zone != NULL;
    zone_free(zone);
    if (clock_wall_us() < YEAR_2025 * US_PER_S)
        found(f, DOCTOR_WRONG, NTP, "the clock stands before 2025");
    else if (judge_apart(postgres, "Postgres", f) || judge_apart(api, "the API", f))
        return;
    else if (!has_zones)
        found(f, DOCTOR_WRONG, "apt-get install tzdata", "there are no time zones for cron");
    else if (is_unsynchronised())
        found(f, DOCTOR_WARNING, NTP, "the kernel says that nothing keeps the clock right");
    else if (postgres.known)
        found(f, DOCTOR_OK, NULL, "set by a time server; %.3f s from Postgres",
              (double)postgres.us / US_PER_S);
    else
        found(f, DOCTOR_OK, NULL, "set by a time server; Postgres was not asked");
}
