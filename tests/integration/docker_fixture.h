/* tests/integration/docker_fixture.h: a real worker on a real Docker engine. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/engine.h"
#include "tests/support/one_worker.h"
#include "tests/support/waiting.h"
#include "worker/attempt/spool.h"

static struct one_worker *o;
static char *docker_flag;
static const char *docker_flags[5]; /* ends with NULL */

static inline int docker_setup(void **state)
{
    (void)state;
    if (!engine_host())
        return 0;
    o = one_worker_open();
    docker_flag = mem_printf("--docker-host=%s", engine_host());
    docker_flags[0] = docker_flag;
    docker_flags[1] = "--executor=docker";
    return 0;
}

/* As a worker does that is not root. */
static inline int docker_setup_copies(void **state)
{
    const int rc = docker_setup(state);
    docker_flags[2] = "--docker-outputs=copy";
    return rc;
}

static inline int docker_teardown(void **state)
{
    (void)state;
    if (!o)
        return 0;
    one_worker_close(o);
    engine_remove_all("w1");
    free(docker_flag);
    docker_flags[2] = docker_flags[3] = NULL;
    o = NULL;
    return 0;
}

#define NEEDS_ENGINE()                                                                             \
    if (!o)                                                                                        \
    skip()

/* A step of busybox's shell in a container. */
static inline void order_container(int attempt, const char *script, struct order_start start)
{
    const char *argv[] = {"/bin/sh", "-c", script};
    start.executor = ORDER_START_EXECUTOR_DOCKER;
    start.image = start.image ? start.image : engine_image();
    if (script) {
        start.argv = argv;
        start.argv_count = 3;
        start.command = 3;
    }
    one_worker_order(o, attempt, &start);
}

struct docker_chunk {
    int done;
    char *data;
    size_t len;
};

static inline void docker_got(void *arg, const struct store_object *object, const struct err *err)
{
    struct docker_chunk *c = arg;
    c->done = 1;
    c->len = err ? 0 : (size_t)object->size;
    c->data = err ? NULL : mem_bytes(object->data, c->len);
}

/* The log in the store, held against its record. */
static inline struct text docker_log(int attempt)
{
    struct text all = {0};
    char run[UUID_TEXT], id[UUID_TEXT], name[SPOOL_NAME], hex[SHA256_HEX];
    const struct uuid run_id = {{0x77}}, attempt_id = one_worker_id(attempt);
    uuid_format(&run_id, run);
    uuid_format(&attempt_id, id);
    const json_t *log = o->seen[attempt].log;
    for (int64_t n = 1; n <= json_get_int(log, "chunks", 0); n++) {
        struct docker_chunk c = {0};
        spool_chunk_name(name, run, "step", id, n);
        store_read(o->store, name, 0, 1 << 20, docker_got, &c);
        assert_true(wait_for_count(o->loop, &c.done, 1, 60000));
        assert_non_null(c.data);
        text_append(&all, c.data, c.len);
        free(c.data);
    }
    if (log) {
        assert_int_equal(json_get_int(log, "bytes", -1), all.len);
        sha256_hex(all.data ? all.data : "", all.len, hex);
        assert_string_equal(json_get_string(log, "sha256", ""), hex);
    }
    return all;
}

static inline void assert_log_is(int attempt, const char *expected)
{
    struct text log = docker_log(attempt);
    assert_string_equal(log.data ? log.data : "", expected);
    text_free(&log);
}

/* The engine has nothing of this worker, the disk nothing of its attempts. An engine that is busy
 * may not remove a container when it is asked to: then the worker's sweep, each 15 s, asks again.
 */
static inline void assert_clean(void)
{
    assert_true(wait_until(o->loop, engine_containers("w1") == 0));
    char path[128];
    one_worker_path(o, path, sizeof path, "data/work");
    assert_true(wait_until(o->loop, rmdir(path) == 0));
    mkdir(path, 0755);
}

static inline void until_running(int attempt)
{
    assert_true(wait_for_count(o->loop, &o->seen[attempt].started, 1, 120000));
}

/* Its program has come so far that it says so. */
#define READY "echo x > $LEAT_OUT/ready; "

static inline void until_ready(int attempt)
{
    char path[400];
    one_worker_workspace(o, attempt, "out/ready", path, sizeof path);
    one_worker_until_file(o, path);
}
