/* Values, series that are bounded, and the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"
#include "common/base/metrics.h"

enum { EVENTS, QUEUE, SECONDS, MANY, TWO };

static struct metric table[] = {
    [EVENTS] = {.kind = METRIC_COUNTER,
                .name = "leat_events_total",
                .help = "Events\nby \\ source."},
    [QUEUE] = {.kind = METRIC_GAUGE, .name = "leat_queue", .help = "Waiting."},
    [SECONDS] = {.kind = METRIC_HISTOGRAM, .name = "leat_x_seconds", .help = "Time."},
    [MANY] = {.kind = METRIC_COUNTER,
              .name = "leat_many_total",
              .help = "By name.",
              .labels = {"name"}},
    [TWO] = {.kind = METRIC_COUNTER,
             .name = "leat_two_total",
             .help = "By two.",
             .labels = {"a", "b"}},
};

static int setup(void **state)
{
    (void)state;
    metrics_register(table, ARRAY_LEN(table));
    metrics_register(table, ARRAY_LEN(table)); /* twice is once */
    return 0;
}

static char *written(void)
{
    struct text t = {0};
    metrics_write(&t);
    return text_take(&t);
}

#define assert_line(text, line)                                                                    \
    do {                                                                                           \
        if (!strstr(text, line))                                                                   \
            fail_msg("no '%s' in:\n%s", line, text);                                               \
    } while (0)

static void test_counters_and_gauges(void **state)
{
    (void)state;
    metric_add(&table[EVENTS], 2);
    metric_add(&table[EVENTS], 1);
    metric_set(&table[QUEUE], 5);
    metric_add(&table[QUEUE], -7);
    assert_int_equal(metric_value(&table[EVENTS]), 3);
    cleanup_free char *text = written();
    assert_line(text, "# HELP leat_events_total Events\\nby \\\\ source.\n"
                      "# TYPE leat_events_total counter\nleat_events_total 3\n");
    assert_line(text, "# TYPE leat_queue gauge\nleat_queue -2\n");
    assert_line(text, "process_resident_memory_bytes ");
    assert_line(text, "process_open_fds ");
    const char *first = strstr(text, "# HELP leat_events_total");
    assert_null(strstr(first + 1, "# HELP leat_events_total"));
}

static void test_histogram_edges(void **state)
{
    (void)state;
    static const int64_t seen[] = {-5, 0, 16, 17, 32, 33, 134217728, 134217729, 999999999999};
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        metric_observe(&table[SECONDS], seen[i]);
    cleanup_free char *text = written();
    assert_line(text, "leat_x_seconds_bucket{le=\"0.000016\"} 3\n");
    assert_line(text, "leat_x_seconds_bucket{le=\"0.000032\"} 5\n");
    assert_line(text, "leat_x_seconds_bucket{le=\"0.000064\"} 6\n");
    assert_line(text, "leat_x_seconds_bucket{le=\"67.108864\"} 6\n");
    assert_line(text, "leat_x_seconds_bucket{le=\"134.217728\"} 7\n");
    assert_line(text, "leat_x_seconds_bucket{le=\"+Inf\"} 9\n");
    assert_line(text, "leat_x_seconds_count 9\n");
    assert_line(text, "leat_x_seconds_sum 1000268.435554\n");
}

static void test_quantiles(void **state)
{
    (void)state;
    static struct metric m = {
        .kind = METRIC_HISTOGRAM, .name = "leat_q_seconds", .help = "Q.", .labels = {"l"}};
    struct metric_series *s = metric_with(&m, "x", NULL);
    assert_int_equal(series_quantile_us(s, 0.5), 0);
    for (int i = 0; i < 99; i++)
        series_observe(s, 10);
    series_observe(s, 1000);
    assert_int_equal(series_quantile_us(s, 0.5), 16);
    assert_int_equal(series_quantile_us(s, 0.99), 16);
    assert_int_equal(series_quantile_us(s, 1), 1024);
    assert_ptr_equal(metric_with(&m, "x", NULL), s);
}

static void test_labels_are_escaped_and_bounded(void **state)
{
    (void)state;
    series_add(metric_with(&table[MANY], "a\"b\\c\nd", NULL), 1);
    for (int i = 0; i < 1000; i++) {
        cleanup_free char *name = mem_printf("name%d", i);
        series_add(metric_with(&table[MANY], name, NULL), 1);
    }
    cleanup_free char *text = written();
    assert_line(text, "leat_many_total{name=\"a\\\"b\\\\c\\nd\"} 1\n");
    assert_line(text, "leat_many_total{name=\"name62\"} 1\n");
    assert_null(strstr(text, "name63"));
    assert_line(text, "leat_many_total{name=\"other\"} 937\n");
    series_add(metric_with(&table[TWO], "x", "y"), 4);
    series_add(metric_with(&table[TWO], "x", "z"), 5);
    series_set(metric_with(&table[TWO], "x", "z"), 6);
    assert_int_equal(series_value(metric_with(&table[TWO], "x", "z")), 6);
    cleanup_free char *two = written();
    assert_line(two, "leat_two_total{a=\"x\",b=\"y\"} 4\n");
    assert_line(two, "leat_two_total{a=\"x\",b=\"z\"} 6\n");
}

static void test_long_label_values_are_cut_but_stay_one_series(void **state)
{
    (void)state;
    static struct metric m = {
        .kind = METRIC_GAUGE, .name = "leat_l", .help = "L.", .labels = {"l"}};
    char longer[200];
    memset(longer, 'v', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_ptr_equal(metric_with(&m, longer, NULL), metric_with(&m, longer, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_and_gauges),
        cmocka_unit_test(test_histogram_edges),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_labels_are_escaped_and_bounded),
        cmocka_unit_test(test_long_label_values_are_cut_but_stay_one_series),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
