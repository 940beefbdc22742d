/* When something that failed is tried again: of a program each attempt, of a group all of it. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/text/json.h"

#define BACKOFF_MAX (7 * 86400 * US_PER_S)
#define CAP_USUAL   (300 * US_PER_S)

/* Those of the first `count` words that are wanted; without a list all of them. */
static json_t *retry_on(const json_t *on, size_t count)
{
    static const char *const WORDS[] = {"failed", "timed_out", "lost"};
    json_t *out = json_array();
    for (size_t w = 0; w < count; w++) {
        bool wanted = on == NULL;
        for (size_t i = 0; i < json_array_size(on); i++)
            wanted = wanted || strcmp(json_string_value(json_array_get(on, i)), WORDS[w]) == 0;
        if (wanted)
            json_array_append_new(out, json_string(WORDS[w]));
    }
    return out;
}

/* attempts and backoff, which every retry has; front->at is at the retry. */
static json_t *read_tries(struct front *f, const json_t *retry)
{
    const json_t *backoff = json_object_get(retry, "backoff");
    const size_t mark = f->at.len;
    text_puts(&f->at, "/backoff/first");
    const int64_t first =
        front_duration(f, json_object_get(backoff, "first"), 0, BACKOFF_MAX, US_PER_S);
    front_at_cut(f, mark);
    text_puts(&f->at, "/backoff/cap");
    const int64_t cap = front_duration(f, json_object_get(backoff, "cap"), 0, BACKOFF_MAX,
                                       first > CAP_USUAL ? first : CAP_USUAL);
    if (cap < first)
        front_problem(f, "cap: must not be below first");
    front_at_cut(f, mark);
    return json_pack("{s:I, s:I, s:I, s:f}", "attempts",
                     (json_int_t)json_get_int(retry, "attempts", 1), "first_us", (json_int_t)first,
                     "cap_us", (json_int_t)cap, "factor", json_get_double(backoff, "factor", 2.0));
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Sorted, so that the order in the file makes no other version. */
static void put_codes(struct front *f, const json_t *retry, const char *key, json_t *out)
{
    const json_t *codes = json_object_get(retry, key);
    const size_t count = json_array_size(codes);
    cleanup_free int *sorted = mem_array(count + 1, sizeof *sorted);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        sorted[i] = (int)json_integer_value(json_array_get(codes, i));
    qsort(sorted, count, sizeof *sorted, by_number);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i] != sorted[i - 1])
            json_array_append_new(all, json_integer(sorted[i]));
    }
    if (codes)
        front_put(f, out, key, all);
    else
        json_decref(all);
}

static void check_codes(struct front *f, const json_t *retry)
{
    const json_t *only = json_object_get(retry, "exit_codes");
    const json_t *never = json_object_get(retry, "not_exit_codes");
    const size_t mark = f->at.len;
    size_t i, k;
    json_t *a, *b;
    json_array_foreach (never, i, a) {
        json_array_foreach (only, k, b) {
            front_at_cut(f, mark);
            text_puts(&f->at, "/not_exit_codes");
            front_at_index(f, i);
            if (json_equal(a, b))
                front_problem(f, "not_exit_codes: %lld is in exit_codes too",
                              (long long)json_integer_value(a));
        }
    }
    front_at_cut(f, mark);
}

void front_retry(struct front *f, size_t step)
{
    const json_t *retry = front_field(f, step, "retry");
    json_t *out = read_tries(f, retry);
    check_codes(f, retry);
    json_object_set_new(out, "on", retry_on(json_object_get(retry, "on"), 3));
    json_object_set_new(out, "lost", json_integer(json_get_int(retry, "lost", 5)));
    put_codes(f, retry, "exit_codes", out);
    put_codes(f, retry, "not_exit_codes", out);
    json_object_set_new(f->step[step].out, "retry", out);
}

void front_retry_all(struct front *f, size_t step)
{
    static const char *const OF_ATTEMPTS[] = {"lost", "exit_codes", "not_exit_codes"};
    const json_t *retry = front_own(f, step, "retry");
    const size_t mark = f->at.len;
    if (!retry)
        return;
    for (size_t i = 0; i < ARRAY_LEN(OF_ATTEMPTS); i++) {
        json_pointer_add(&f->at, OF_ATTEMPTS[i]);
        if (json_object_get(retry, OF_ATTEMPTS[i]))
            front_key_problem(f, "%s: is of programs: put it on the steps inside", OF_ATTEMPTS[i]);
        front_at_cut(f, mark);
    }
    json_t *out = read_tries(f, retry);
    json_object_set_new(out, "on", retry_on(json_object_get(retry, "on"), 2));
    front_put(f, f->step[step].out, "retry", out);
}
