#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/ir/graph.h"
#include "common/ir/names.h"

/* "1,2 3 -" : node 0 needs 1 and 2, node 1 needs 3, node 2 needs nothing. */
static size_t parse(const char *text, struct graph_node *nodes, int32_t *edges)
{
    size_t count = 0, used = 0;
    while (*text) {
        struct graph_node *node = &nodes[count++];
        node->needs = &edges[used];
        node->need_count = 0;
        for (; *text && *text != ' '; text++) {
            if (*text >= '0' && *text <= '9') {
                edges[used++] = *text - '0';
                node->need_count++;
            }
        }
        while (*text == ' ')
            text++;
    }
    return count;
}

static void cycle_is(const char *graph, const char *expected)
{
    struct graph_node nodes[10];
    int32_t edges[64];
    size_t length = 0;
    char got[16] = "";
    const size_t count = parse(graph, nodes, edges);
    cleanup_free int32_t *cycle = graph_cycle(nodes, count, &length);
    for (size_t i = 0; i < length; i++)
        got[i] = (char)('0' + cycle[i]);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: '%s', not '%s'", graph, got, expected);
}

static void cycles_are_found_and_begin_at_their_lowest_node(void **state)
{
    (void)state;
    cycle_is("", "");
    cycle_is("-", "");
    cycle_is("0", "0");
    cycle_is("1 2 -", "");
    cycle_is("1 0", "01");
    cycle_is("1 2 0", "012");
    cycle_is("2 0 1", "021");
    cycle_is("1,2 3 3 -", "");
    cycle_is("1 2 3 1", "123");      /* 0 hangs on the cycle and is not of it */
    cycle_is("- 0,2 1,0 2 3", "12"); /* neither are 3 and 4, which need it */
    cycle_is("1 0 3 2", "01");
}

static void a_long_cycle_is_found_in_linear_time(void **state)
{
    (void)state;
    const size_t count = 100000;
    cleanup_free struct graph_node *nodes = mem_array(count, sizeof *nodes);
    cleanup_free int32_t *needs = mem_array(count, sizeof *needs);
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        needs[i] = (int32_t)((i + 1) % count);
        nodes[i] = (struct graph_node){&needs[i], 1};
    }
    cleanup_free int32_t *cycle = graph_cycle(nodes, count, &length);
    assert_int_equal(length, count);
    assert_int_equal(cycle[0], 0);
    assert_int_equal(cycle[count - 1], count - 1);
    nodes[count - 1].need_count = 0;
    assert_null(graph_cycle(nodes, count, &length));
    assert_int_equal(length, 0);
}

static void repeats_are_dropped(void **state)
{
    (void)state;
    int32_t list[] = {5, 1, 5, 1, 1, 9};
    assert_int_equal(graph_unique(list, 6), 3);
    assert_int_equal(list[0], 1);
    assert_int_equal(list[1], 5);
    assert_int_equal(list[2], 9);
    assert_int_equal(graph_unique(NULL, 0), 0);
}

static void names_are_found_and_near_ones_suggested(void **state)
{
    (void)state;
    struct names *names = names_new();
    assert_null(names_nearest(names, "sgd"));
    assert_int_equal(names_add(names, "prepare", 0), -1);
    assert_int_equal(names_add(names, "forest", 1), -1);
    assert_int_equal(names_add(names, "forest", 2), 1); /* it is there, and stays */
    assert_int_equal(names_find(names, "forest"), 1);
    assert_int_equal(names_find(names, "fores"), -1);
    assert_string_equal(names_nearest(names, "fores"), "forest");
    assert_null(names_nearest(names, "entirely"));
    assert_true(names_bytes(names) > 0);
    names_free(names);
    names_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycles_are_found_and_begin_at_their_lowest_node),
        cmocka_unit_test(a_long_cycle_is_found_in_linear_time),
        cmocka_unit_test(repeats_are_dropped),
        cmocka_unit_test(names_are_found_and_near_ones_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
