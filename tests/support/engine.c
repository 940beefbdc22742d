#include "tests/support/engine.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/http/client.h"
#include "common/text/json.h"

const char *engine_host(void)
{
    const char *host = getenv("LEAT_TEST_DOCKER");
    if (!host || !*host)
        printf("SKIPPED: no Docker engine (LEAT_TEST_DOCKER is not set; dev/run-integration starts "
               "one as root)\n");
    return host && *host ? host : NULL;
}

const char *engine_image(void)
{
    const char *image = getenv("LEAT_TEST_IMAGE");
    return image ? image : "leat.test/busybox:1";
}

int engine_get(const char *method, const char *path, const json_t *body, json_t **answer)
{
    struct err err = {0};
    struct http_incoming in = {0};
    cleanup_free char *text = body ? json_write(body) : NULL;
    cleanup_free char *url = mem_printf("http://docker/v1.41%s", path);
    const struct http_header headers[] = {{"Content-Type", "application/json"}, {0}};
    const struct http_outgoing call = {.method = method,
                                       .url = url,
                                       .unix_socket = engine_host() + strlen("unix://"),
                                       .headers = headers,
                                       .body = text,
                                       .body_len = text ? strlen(text) : 0};
    if (http_call(&call, NULL, NULL, &in, &err) != 0) {
        fprintf(stderr, "engine: %s\n", err.text);
        abort();
    }
    const int status = in.status;
    if (answer)
        *answer = json_read(in.body, in.len, NULL, NULL);
    http_incoming_free(&in);
    return status;
}

int engine_containers(const char *worker)
{
    json_t *list = NULL;
    size_t i;
    json_t *container;
    int n = 0;
    engine_get("GET", "/containers/json?all=1", NULL, &list);
    json_array_foreach (list, i, container) {
        const char *label =
            json_get_string(json_get_object(container, "Labels"), "dev.leat.worker", "");
        n += !worker || strcmp(label, worker) == 0;
    }
    json_decref(list);
    return n;
}

void engine_remove_all(const char *worker)
{
    json_t *list = NULL;
    size_t i;
    json_t *container;
    engine_get("GET", "/containers/json?all=1", NULL, &list);
    json_array_foreach (list, i, container) {
        const char *label =
            json_get_string(json_get_object(container, "Labels"), "dev.leat.worker", "");
        cleanup_free char *path =
            mem_printf("/containers/%s?force=1&v=1", json_get_string(container, "Id", ""));
        if (strcmp(label, worker) == 0)
            engine_get("DELETE", path, NULL, NULL);
    }
    json_decref(list);
}

void engine_service(const char *verb)
{
    engine_service_with(verb, NULL);
}

void engine_service_with(const char *verb, const char *setting)
{
    const char *services = getenv("LEAT_TEST_SERVICES");
    char program[] = "dev/services", name[] = "docker", dir[] = "--dir", set[] = "--set";
    cleanup_free char *what = mem_string(verb);
    cleanup_free char *pair = mem_string(setting);
    cleanup_free char *folder = mem_string(services ? services : "");
    char *argv[] = {program, what, name, dir, folder, pair ? set : NULL, pair, NULL};
    pid_t pid;
    int status = -1;
    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    if (status != 0) {
        fprintf(stderr, "dev/services %s docker: %d\n", verb, status);
        abort();
    }
}
