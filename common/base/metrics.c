#include "common/base/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define VALUE_BYTES 64
#define SMALLEST_US 16
#define OTHER       "other"

struct metric_series {
    struct metric_series *next;
    char values[METRIC_LABELS][VALUE_BYTES];
    int64_t value;     /* counter, gauge; histogram: sum of µs */
    uint64_t *buckets; /* histogram: METRIC_BUCKETS and one for +Inf, not cumulated */
};

static struct metric *registered, **registered_end = &registered;

static int label_count(const struct metric *m)
{
    int n = 0;
    while (n < METRIC_LABELS && m->labels[n])
        n++;
    return n;
}

static struct metric_series *series_new(struct metric *m, const char *a, const char *b)
{
    struct metric_series *s = mem_alloc(sizeof *s);
    snprintf(s->values[0], VALUE_BYTES, "%s", a);
    snprintf(s->values[1], VALUE_BYTES, "%s", b);
    if (m->kind == METRIC_HISTOGRAM)
        s->buckets = mem_array(METRIC_BUCKETS + 1, sizeof *s->buckets);
    struct metric_series **end = &m->series;
    while (*end)
        end = &(*end)->next;
    *end = s;
    m->count++;
    return s;
}

void metrics_register(struct metric *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct metric *m = &table[i];
        if (m->next || registered_end == &m->next)
            continue; /* registered already */
        if (label_count(m) == 0 && !m->series)
            series_new(m, "", "");
        *registered_end = m;
        registered_end = &m->next;
    }
}

/* Of a metric without labels; those that are not registered yet count all the same. */
static struct metric_series *only_series(struct metric *m)
{
    return m->series ? m->series : series_new(m, "", "");
}

static bool is_of(const struct metric_series *s, const char *a, const char *b)
{
    return strncmp(s->values[0], a, VALUE_BYTES - 1) == 0 &&
           strncmp(s->values[1], b, VALUE_BYTES - 1) == 0;
}

struct metric_series *metric_with(struct metric *m, const char *a, const char *b)
{
    b = b ? b : "";
    for (struct metric_series *s = m->series; s; s = s->next)
        if (is_of(s, a, b))
            return s;
    if (m->count < METRIC_SERIES)
        return series_new(m, a, b);
    const bool is_other = strcmp(a, OTHER) == 0 && strcmp(b, *b ? OTHER : "") == 0;
    return is_other ? series_new(m, a, b) : metric_with(m, OTHER, *b ? OTHER : "");
}

void series_add(struct metric_series *s, int64_t by)
{
    s->value += by;
}

void series_set(struct metric_series *s, int64_t value)
{
    s->value = value;
}

/* The first bucket whose bound is at least us. */
static int bucket_of(int64_t us)
{
    if (us <= SMALLEST_US)
        return 0;
    const int i = 64 - __builtin_clzll((uint64_t)(us - 1) / SMALLEST_US);
    return i < METRIC_BUCKETS ? i : METRIC_BUCKETS;
}

void series_observe(struct metric_series *s, int64_t us)
{
    us = us < 0 ? 0 : us;
    s->value += us;
    s->buckets[bucket_of(us)]++;
}

void metric_add(struct metric *m, int64_t by)
{
    series_add(only_series(m), by);
}

void metric_set(struct metric *m, int64_t value)
{
    series_set(only_series(m), value);
}

void metric_observe(struct metric *m, int64_t us)
{
    series_observe(only_series(m), us);
}

int64_t series_value(const struct metric_series *s)
{
    return s->value;
}

int64_t metric_value(const struct metric *m)
{
    return m->series ? m->series->value : 0;
}

int64_t series_quantile_us(const struct metric_series *s, double q)
{
    uint64_t total = 0, seen = 0;
    for (int i = 0; i <= METRIC_BUCKETS; i++)
        total += s->buckets[i];
    if (total == 0)
        return 0;
    const double rank = q * (double)total;
    for (int i = 0; i < METRIC_BUCKETS; i++) {
        seen += s->buckets[i];
        if (seen > 0 && (double)seen >= rank)
            return (int64_t)SMALLEST_US << i;
    }
    return INT64_MAX;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* In label values \, " and line ends are escaped; in HELP \ and line ends. */
static void put_escaped(struct text *out, const char *value, bool quotes)
{
    for (; *value; value++) {
        if (*value == '\n')
            text_puts(out, "\\n");
        else if (*value == '\\' || (*value == '"' && quotes))
            text_printf(out, "\\%c", *value);
        else
            text_append(out, value, 1);
    }
}

/* name_suffix{label="value",…,le="bound"} */
static void put_name(struct text *out, const struct metric *m, const struct metric_series *s,
                     const char *suffix, const char *le)
{
    const int labels = label_count(m);
    text_printf(out, "%s%s", m->name, suffix);
    for (int i = 0; i < labels; i++) {
        text_printf(out, "%s%s=\"", i ? "," : "{", m->labels[i]);
        put_escaped(out, s->values[i], true);
        text_puts(out, "\"");
    }
    if (le)
        text_printf(out, "%sle=\"%s\"", labels ? "," : "{", le);
    text_puts(out, labels || le ? "} " : " ");
}

static void put_histogram(struct text *out, const struct metric *m, const struct metric_series *s)
{
    uint64_t seen = 0;
    for (int i = 0; i < METRIC_BUCKETS; i++) {
        char bound[32];
        seen += s->buckets[i];
        snprintf(bound, sizeof bound, "%.6f", (double)((int64_t)SMALLEST_US << i) / 1e6);
        put_name(out, m, s, "_bucket", bound);
        text_printf(out, "%" PRIu64 "\n", seen);
    }
    seen += s->buckets[METRIC_BUCKETS];
    put_name(out, m, s, "_bucket", "+Inf");
    text_printf(out, "%" PRIu64 "\n", seen);
    put_name(out, m, s, "_sum", NULL);
    text_printf(out, "%.6f\n", (double)s->value / 1e6);
    put_name(out, m, s, "_count", NULL);
    text_printf(out, "%" PRIu64 "\n", seen);
}

static void put_metric(struct text *out, const struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    text_printf(out, "# HELP %s ", m->name);
    put_escaped(out, m->help, false);
    text_printf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
    for (const struct metric_series *s = m->series; s; s = s->next) {
        if (m->kind == METRIC_HISTOGRAM) {
            put_histogram(out, m, s);
            continue;
        }
        put_name(out, m, s, "", NULL);
        text_printf(out, "%" PRId64 "\n", s->value);
    }
}

/* ---- the process ---------------------------------------------------------------------------- */

static int64_t resident_bytes(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_fds(void)
{
    int64_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* not the one just opened */
}

/* Since the epoch, from the ticks since boot in /proc/self/stat (field 22). */
static double start_seconds(void)
{
    char line[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f)
        return 0;
    const char *p = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    for (int i = 2; p && i < 22; i++)
        p = strchr(p + 1, ' ');
    const double since_boot = p ? strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK) : 0;
    return (double)(clock_wall_us() - clock_boottime_us()) / 1e6 + since_boot;
}

static void put_process(struct text *out)
{
    text_printf(out,
                "# HELP process_resident_memory_bytes Resident memory.\n"
                "# TYPE process_resident_memory_bytes gauge\n"
                "process_resident_memory_bytes %" PRId64 "\n"
                "# HELP process_open_fds Open file descriptors.\n"
                "# TYPE process_open_fds gauge\n"
                "process_open_fds %" PRId64 "\n"
                "# HELP process_start_time_seconds Start of the process, since the epoch.\n"
                "# TYPE process_start_time_seconds gauge\n"
                "process_start_time_seconds %.2f\n",
                resident_bytes(), open_fds(), start_seconds());
}

void metrics_write(struct text *out)
{
    for (const struct metric *m = registered; m; m = m->next)
        put_metric(out, m);
    put_process(out);
}
