/* The workers that there are; drain, resume, remove: what is said of one. */
#include <string.h>

#include "api/commands.h"
#include "common/base/clock.h"

void api_workers(struct http_request *req, void *arg)
{
    api_ask(arg, QUERY_API_WORKERS, NULL, api_answer_list, req);
}

/* Keyed by the worker, so that what is said of one stays in order. */
static void say_of_worker(struct api *api, struct http_request *req, int kind, enum query_id shown)
{
    const char *name = http_param(req, "worker");
    if (strlen(name) > 64 || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789-_.") != strlen(name)) {
        api_refuse(req, LEAT_ENOTFOUND, "there is no such worker");
        return;
    }
    struct command c = {.kind = kind,
                        .id = uuid_v7_now(clock_wall_us() / US_PER_MS),
                        .run = uuid_v5(&UUID_LEAT, name, strlen(name)),
                        .worker = name};
    commands_submit(api, req, &c, &c.run, shown, NULL);
}

void api_worker_drain(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_DRAIN, QUERY_API_WORKER_BRIEF);
}

void api_worker_resume(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_RESUME, QUERY_API_WORKER_BRIEF);
}

void api_worker_remove(struct http_request *req, void *arg)
{
    say_of_worker(arg, req, COMMAND_KIND_REMOVE, QUERY_API_WORKER_REMOVED);
}
