/* common/base/metrics.h: counters, gauges and histograms in Prometheus' text form.
 * A module has one static table of `struct metric`, registers it at start, and changes values with
 * no allocation (a label value's series is made at its first use, and there are at most
 * METRIC_SERIES of them; later ones count as "other"). On the loop's thread only. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "common/base/text.h"

#define METRIC_LABELS 2
#define METRIC_SERIES 64

enum metric_kind {
    METRIC_COUNTER,   /* only grows; its name ends with _total */
    METRIC_GAUGE,     /* any value */
    METRIC_HISTOGRAM, /* of microseconds, shown in seconds; its name ends with _seconds */
};

/* Upper bounds of a histogram's buckets: 16 µs · 2^i, i in [0, 24): 16 µs to 134 s, then +Inf. */
#define METRIC_BUCKETS 24

struct metric_series;

struct metric {
    enum metric_kind kind;
    const char *name; /* leat_… */
    const char *help;
    const char *labels[METRIC_LABELS]; /* names; NULL = none */
    /* Private from here on; zero at start. */
    struct metric_series *series;
    int count;
    struct metric *next;
};

/* Once for each table. The tables live as long as the process. */
void metrics_register(struct metric *table, size_t count);

/* Of a metric without labels. */
void metric_add(struct metric *m, int64_t by);     /* counter, gauge */
void metric_set(struct metric *m, int64_t value);  /* gauge */
void metric_observe(struct metric *m, int64_t us); /* histogram */

/* The series of these label values (`b` NULL when there is one label); the pointer stays good and
 * may be kept. Values are copied, at most 63 bytes of each. */
struct metric_series *metric_with(struct metric *m, const char *a, const char *b);
void series_add(struct metric_series *s, int64_t by);
void series_set(struct metric_series *s, int64_t value);
void series_observe(struct metric_series *s, int64_t us);

int64_t metric_value(const struct metric *m); /* of a metric without labels */
int64_t series_value(const struct metric_series *s);
/* Upper bound in µs of the bucket that holds quantile q (0..1); 0 when nothing was observed. */
int64_t series_quantile_us(const struct metric_series *s, double q);

/* Everything registered, as text/plain; version=0.0.4. Also process_resident_memory_bytes,
 * process_open_fds and process_start_time_seconds. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_write(struct text *out);
