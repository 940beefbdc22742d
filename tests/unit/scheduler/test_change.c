/* The change record: what readers of it can show without asking anybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "scheduler/core/change.h"
#include "schema/gen/messages.h"

static void read_back(struct batch *b, struct change *out)
{
    change_append(b);
    const struct batch_message *m = &b->messages[b->messages_count - 1];
    assert_int_equal(change_decode(m->value, m->len, out, NULL), 0);
}

static void a_step_names_its_attempt_and_its_reason(void **state)
{
    (void)state;
    struct change c;
    struct batch *b = batch_new();
    struct batch_step *s = batch_add_steps(b);
    *s = (struct batch_step){.run = {{1}},
                             .step = 3,
                             .state = STEP_RUNNING,
                             .attempt = 2,
                             .attempt_id = {{7}},
                             .reason = ""};
    struct batch_result *r = batch_add_results(b);
    *r = (struct batch_result){.run = {{1}},
                               .step = 4,
                               .state = STEP_FAILED,
                               .attempt = 1,
                               .attempt_id = {{8}},
                               .reason = "exit code 1"};
    read_back(b, &c);
    assert_int_equal(c.steps_count, 2);
    assert_string_equal(c.steps[0].reason, "exit code 1");
    assert_int_equal(c.steps[0].attempt_id.b[0], 8);
    assert_int_equal(c.steps[1].attempt_id.b[0], 7);
    assert_null(c.steps[1].reason);
    change_clear(&c);
    batch_free(b);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    (void)state;
    struct change c;
    struct batch *b = batch_new();
    char *reason = mem_alloc(CHANGE_REASON_MAX + 8);
    memset(reason, 'x', CHANGE_REASON_MAX - 1);
    memcpy(reason + CHANGE_REASON_MAX - 1, "\xc3\xa9y", 4); /* the limit is inside of it */
    *batch_add_run_moves(b) = (struct batch_run_move){.id = {{1}}, .reason = reason};
    read_back(b, &c);
    assert_int_equal(strlen(c.runs[0].reason), CHANGE_REASON_MAX - 1);
    change_clear(&c);
    memset(reason, 'x', CHANGE_REASON_MAX);
    reason[CHANGE_REASON_MAX] = '\0';
    read_back(b, &c);
    assert_int_equal(strlen(c.runs[0].reason), CHANGE_REASON_MAX);
    change_clear(&c);
    free(reason);
    batch_free(b);
}

/* Control characters take six bytes each: the worst that a record can hold. */
static void reasons_never_make_it_too_long(void **state)
{
    (void)state;
    struct change c;
    struct batch *b = batch_new();
    char reason[CHANGE_REASON_MAX + 1] = "";
    memset(reason, '\1', CHANGE_REASON_MAX);
    for (int i = 0; i < 2000; i++) {
        struct batch_step *s = batch_add_steps(b);
        *s = (struct batch_step){.run = {{255}},
                                 .step = INT32_MAX,
                                 .iteration = INT32_MAX,
                                 .state = STEP_CANCELLING,
                                 .attempt = INT32_MAX,
                                 .attempt_id = {{255}},
                                 .reason = reason};
    }
    read_back(b, &c);
    assert_true(c.partial);
    assert_true(c.steps_count > 100 && c.steps_count < 2000);
    assert_true(b->messages[0].len <= CHANGE_MAX);
    assert_true(b->messages[0].len > CHANGE_MAX / 2);
    change_clear(&c);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_names_its_attempt_and_its_reason),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(reasons_never_make_it_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
