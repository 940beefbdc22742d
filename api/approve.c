/* approve: a person answers a step that waits for it. */
#include <string.h>

#include "api/commands.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define COMMENT_MAX 4096

/* "train/ask[3]" -> 3, and the text ends before it; without a number 0. */
static int64_t cut_iteration(char *step)
{
    char *open = strrchr(step, '[');
    const size_t len = strlen(step);
    long long n = 0;
    if (!open || step[len - 1] != ']')
        return 0;
    step[len - 1] = '\0';
    if (!text_to_int(open + 1, 1, INT32_MAX, &n))
        step[len - 1] = ']';
    else
        *open = '\0';
    return n;
}

static int answer_parse(const char *text)
{
    static const int ALL[] = {COMMAND_ANSWER_APPROVED, COMMAND_ANSWER_REJECTED};
    for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
        if (strcmp(text, command_answer_name(ALL[i])) == 0)
            return ALL[i];
    return COMMAND_ANSWER_NONE;
}

static int check_answer(const json_t *body, struct err *err)
{
    const char *comment = json_get_string(body, "comment", ""),
               *by = json_get_string(body, "by", "");
    if (!json_get_string(body, "step", NULL))
        return err_set(err, LEAT_EINPUT, "step: name the step that waits");
    if (strlen(comment) > COMMENT_MAX)
        return err_set(err, LEAT_EINPUT, "comment: at most %d bytes", COMMENT_MAX);
    return *by && !text_is_name(by, 63) ? err_set(err, LEAT_EINPUT, "by: 1 to 63 of a-z 0-9 . _ -")
                                        : 0;
}

/* Whom it is from: the holder of the token; a body may say so only where no token does. */
static bool is_own(struct http_request *req, const json_t *body)
{
    const char *caller = http_caller(req), *by = json_get_string(body, "by", caller);
    struct err err = {0};
    if (!*caller || strcmp(by, caller) == 0)
        return true;
    err_set(&err, LEAT_EREFUSED, "this token is %s's: nobody answers for another", caller);
    http_problem(req, 403, &err);
    return false;
}

static void approve_run(struct api *api, struct http_request *req, const struct uuid *run)
{
    cleanup_json json_t *body = api_body(req);
    struct err err = {0};
    if (!body)
        return;
    struct command c = {.kind = COMMAND_KIND_APPROVE,
                        .run = *run,
                        .answer = answer_parse(json_get_string(body, "answer", "approved")),
                        .comment = json_get_string(body, "comment", NULL),
                        .by = json_get_string(body, "by", NULL)};
    if (check_answer(body, &err) == 0 && c.answer == COMMAND_ANSWER_NONE)
        err_set(&err, LEAT_EINPUT, "answer: approved or rejected");
    if (err.code) {
        api_refuse(req, LEAT_EINPUT, "%s", err.text);
        return;
    }
    if (!is_own(req, body))
        return;
    cleanup_free char *step = mem_string(json_get_string(body, "step", ""));
    c.iteration = cut_iteration(step);
    c.step = step;
    c.id = uuid_v7_now(clock_wall_us() / US_PER_MS);
    commands_submit(api, req, &c, run, QUERY_API_RUN_BRIEF, NULL);
}

void api_run_approve(struct http_request *req, void *arg)
{
    api_find_run(arg, req, approve_run);
}
