/* What a step may say of its container and what is refused, and the body that the engine gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "worker/executor/docker/body.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct body_site site = {.cluster = "c",
                                      .worker = "w",
                                      .network = "default",
                                      .networks = "none,default,ml-net",
                                      .workspace = "/data/work",
                                      .secrets = "/dev/shm/leat"};

struct row {
    const char *image, *workdir, *network;
    const char *mount, *target; /* NULL = none */
    int64_t memory, shm, pids;
    double cpu;
    const char *take;
    const char *refused; /* part of the reason; NULL = taken */
};

static const struct row rows[] = {
    /* images */
    {.image = "busybox"},
    {.image = "busybox:1"},
    {.image = "library/busybox:1.36-glibc"},
    {.image = "registry.local/forecast-train:latest"},
    {.image = "localhost/x"},
    {.image = "127.0.0.1:5000/a/b/c:T_1.2-3"},
    {.image = "a__b/c-d/e--f.g:1"},
    {.image = "x@sha256:" HEX64},
    {.image = "r.io:443/x:tag@sha256:" HEX64},
    {.image = NULL, .refused = "no image"},
    {.image = "", .refused = "no image"},
    {.image = "Upper/case", .refused = "name of an image"},
    {.image = "UPPER", .refused = "name of an image"},
    {.image = "a b", .refused = "name of an image"},
    {.image = "../../etc/passwd", .refused = "name of an image"},
    {.image = "a/../b", .refused = "name of an image"},
    {.image = "/abs", .refused = "name of an image"},
    {.image = "a//b", .refused = "name of an image"},
    {.image = "a/", .refused = "name of an image"},
    {.image = "-a", .refused = "name of an image"},
    {.image = "a-", .refused = "name of an image"},
    {.image = "a___b", .refused = "name of an image"},
    {.image = "a..b", .refused = "name of an image"},
    {.image = "$(id)", .refused = "name of an image"},
    {.image = "a;id", .refused = "name of an image"},
    {.image = "a\nb", .refused = "name of an image"},
    {.image = "a\"b", .refused = "name of an image"},
    {.image = "a'b", .refused = "name of an image"},
    {.image = "a?fromSrc=-", .refused = "name of an image"},
    {.image = "a&tag=b", .refused = "name of an image"},
    {.image = "a#b", .refused = "name of an image"},
    {.image = "a%2fb", .refused = "name of an image"},
    {.image = "a\xe2\x80\xae"
              "b",
     .refused = "name of an image"},
    {.image = "user:pass@host/x", .refused = "digest"},
    {.image = "h.io:port/x", .refused = "name of an image"},
    {.image = "h.io:123456/x", .refused = "name of an image"},
    {.image = "-h.io/x", .refused = "name of an image"},
    {.image = "http://h.io/x", .refused = "name of an image"},
    {.image = "x:", .refused = "tag"},
    {.image = "x:.t", .refused = "tag"},
    {.image = "x:a b", .refused = "tag"},
    {.image = "x:a/../b", .refused = "name of an image"},
    {.image = "x@sha256:123", .refused = "digest"},
    {.image = "x@", .refused = "digest"},
    {.image = "x@sha256:" HEX64 "0", .refused = "digest"},
    {.image = "x@SHA256:" HEX64, .refused = "digest"},
    /* working directories */
    {.image = "i", .workdir = "/work"},
    {.image = "i", .workdir = "/"},
    {.image = "i", .workdir = "/leat/out/sub"},
    {.image = "i", .workdir = "/a b/\"c\"/$(d)/\xe2\x80\xae"},
    {.image = "i", .workdir = "/process"},
    {.image = "i", .workdir = "sub", .refused = "absolute"},
    {.image = "i", .workdir = "../x", .refused = "absolute"},
    {.image = "i", .workdir = "/a/../proc", .refused = "'..'"},
    {.image = "i", .workdir = "/a/./b", .refused = "'.'"},
    {.image = "i", .workdir = "/..", .refused = "'..'"},
    {.image = "i", .workdir = "//proc", .refused = "empty part"},
    {.image = "i", .workdir = "/proc", .refused = "/proc"},
    {.image = "i", .workdir = "/proc/self/fd/7", .refused = "/proc"},
    {.image = "i", .workdir = "/sys/fs", .refused = "/sys"},
    {.image = "i", .workdir = "/dev/shm", .refused = "/dev"},
    {.image = "i", .workdir = "/leat/secrets", .refused = "/leat/secrets"},
    {.image = "i", .workdir = "/leat/in/x", .refused = "/leat/in"},
    {.image = "i", .workdir = "/a\nb", .refused = "control character"},
    /* networks */
    {.image = "i", .network = "none"},
    {.image = "i", .network = "default"},
    {.image = "i", .network = "ml-net"},
    {.image = "i", .network = "host", .refused = "not allowed"},
    {.image = "i", .network = "bridge", .refused = "not allowed"},
    {.image = "i", .network = "ml", .refused = "not allowed"},
    {.image = "i", .network = "container:abc", .refused = "network"},
    {.image = "i", .network = "ns:/proc/1/ns/net", .refused = "network"},
    {.image = "i", .network = "none,host", .refused = "network"},
    {.image = "i", .network = "", .refused = "network"},
    /* mounts are the worker's making; one that went wrong does not get through */
    {.image = "i", .mount = "/data/work/a/in", .target = "/leat/in"},
    {.image = "i", .mount = "/dev/shm/leat/a", .target = "/leat/secrets"},
    {.image = "i", .mount = "/", .target = "/leat/in", .refused = "outside"},
    {.image = "i", .mount = "/var/run/docker.sock", .target = "/leat/in", .refused = "outside"},
    {.image = "i", .mount = "/data/work/../../etc", .target = "/leat/in", .refused = "outside"},
    {.image = "i", .mount = "/data/workers", .target = "/leat/in", .refused = "outside"},
    {.image = "i", .mount = "/data/work/a/in", .target = "/etc", .refused = "outside"},
    /* limits, at and over the edge */
    {.image = "i", .memory = 6 << 20},
    {.image = "i", .memory = (6 << 20) - 1, .refused = "memory"},
    {.image = "i", .memory = -1, .refused = "memory"},
    {.image = "i", .shm = 4096},
    {.image = "i", .shm = 4095, .refused = "shm"},
    {.image = "i", .pids = 1},
    {.image = "i", .pids = -1, .refused = "negative"},
    {.image = "i", .cpu = 0.5},
    {.image = "i", .cpu = -1, .refused = "negative"},
    {.image = "i", .cpu = (double)NAN, .refused = "negative"},
    /* outputs elsewhere in the container */
    {.image = "i", .take = "/opt/model"},
    {.image = "i", .take = "/leat/out/x", .refused = "no path"},
    {.image = "i", .take = "/proc/self/environ", .refused = "no path"},
    {.image = "i", .take = "/a/../../etc/shadow", .refused = "no path"},
    {.image = "i", .take = "relative", .refused = "no path"},
    {.image = "i", .take = "/", .refused = "no path"},
};

static void what_is_taken_and_refused(void **state)
{
    (void)state;
    static const char *const argv[] = {"p", NULL}, *const env[] = {"A=b", NULL};
    assert_true(ARRAY_LEN(rows) >= 60);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        const struct executor_mount mount = {.source = r->mount, .target = r->target};
        const struct executor_take take = {"m", r->take};
        const struct executor_container c = {.command = 1,
                                             .takes = &take,
                                             .take_count = r->take != NULL,
                                             .network = r->network,
                                             .cpu = r->cpu,
                                             .memory = r->memory,
                                             .shm = r->shm,
                                             .pids = r->pids,
                                             .mounts = &mount,
                                             .mount_count = r->mount != NULL};
        const struct executor_spec spec = {.image = r->image,
                                           .argv = argv,
                                           .env = env,
                                           .workdir = r->workdir ? r->workdir : "",
                                           .container = &c};
        struct err err = {0};
        const int rc = body_check(&spec, &site, &err);
        if ((rc != 0) != (r->refused != NULL) || (rc != 0 && !strstr(err.text, r->refused)))
            fail_msg("row %zu, %s %s: %d %s", i, r->image ? r->image : "-", spec.workdir, rc,
                     err.text);
    }
}

static struct executor_spec spec_of(const struct executor_container *c, const char *const *argv)
{
    static const char *const env[] = {"ODD=a\"b'$(id)\n../\xe2\x80\xae", NULL};
    return (struct executor_spec){.image = "i",
                                  .argv = argv,
                                  .env = env,
                                  .workdir = "",
                                  .log_limit = 1 << 20,
                                  .container = c};
}

static void nothing_that_reaches_out(void **state)
{
    (void)state;
    static const char *const argv[] = {"p q", "$(id)", "\n", NULL};
    const struct executor_container c = {.command = 1, .gpu = 2, .memory = 64 << 20, .cpu = 1.5};
    const struct executor_spec spec = spec_of(&c, argv);
    cleanup_json json_t *body = body_make(&spec, &site, 7);
    json_t *host = json_get_object(body, "HostConfig");
    assert_false(json_get_bool(host, "Privileged", true));
    assert_string_equal(json_string_value(json_pointer(body, "/HostConfig/CapDrop/0")), "ALL");
    assert_string_equal(json_string_value(json_pointer(body, "/HostConfig/SecurityOpt/0")),
                        "no-new-privileges");
    static const char *const ABSENT[] = {
        "Binds",   "Devices",           "CapAdd",    "VolumesFrom", "UsernsMode",
        "UTSMode", "DeviceCgroupRules", "ExtraHosts"};
    for (size_t i = 0; i < ARRAY_LEN(ABSENT); i++)
        assert_null(json_object_get(host, ABSENT[i]));
    assert_null(json_object_get(body, "User"));
    assert_int_equal(json_get_int(host, "Memory", 0), 64 << 20);
    assert_int_equal(json_get_int(host, "MemorySwap", 0), 64 << 20);
    assert_int_equal(json_get_int(host, "NanoCpus", 0), 1500000000);
    assert_int_equal(json_get_int(host, "PidsLimit", 0), 4096);
    assert_int_equal(json_get_int(host, "ShmSize", 0), 64 << 20);
    assert_int_equal(json_integer_value(json_pointer(body, "/HostConfig/DeviceRequests/0/Count")),
                     2);
    assert_true(json_get_bool(host, "Init", false));
    assert_string_equal(json_string_value(json_pointer(body, "/Entrypoint/0")), "p q");
    assert_string_equal(json_string_value(json_pointer(body, "/Cmd/0")), "$(id)");
    assert_string_equal(json_string_value(json_pointer(body, "/Cmd/1")), "\n");
    assert_string_equal(json_string_value(json_pointer(body, "/Env/0")), spec.env[0]);
    assert_string_equal(json_string_value(json_pointer(body, "/Labels/dev.leat.log")), "7");
}

/* As in Kubernetes: command replaces the entry point, args the arguments. */
static void command_and_args(void **state)
{
    (void)state;
    static const char *const both[] = {"c", "a", NULL}, *const none[] = {NULL};
    struct executor_container c = {.command = 0};
    struct executor_spec spec = spec_of(&c, both);
    json_t *body = body_make(&spec, &site, 0);
    assert_null(json_object_get(body, "Entrypoint"));
    assert_int_equal(json_array_size(json_get_array(body, "Cmd")), 2);
    json_decref(body);
    spec.argv = none;
    body = body_make(&spec, &site, 0);
    assert_null(json_object_get(body, "Entrypoint"));
    assert_null(json_object_get(body, "Cmd"));
    json_decref(body);
    spec.argv = both;
    c.command = 2;
    body = body_make(&spec, &site, 0);
    assert_int_equal(json_array_size(json_get_array(body, "Entrypoint")), 2);
    assert_int_equal(json_array_size(json_get_array(body, "Cmd")), 0);
    json_decref(body);
}

/* A volume is root's: another user needs a folder for all in it. */
static void where_outputs_lie(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const struct {
        const char *user;
        bool root;
    } users[] = {{"", true},        {"0", true},   {"0:0", true},     {"root", true},
                 {"root:x", true},  {"1", false},  {"00", false},     {"rooty", false},
                 {"1000:0", false}, {NULL, false}, {"nobody", false}, {"ro", false}};
    struct executor_container c = {.outputs = true};
    const struct executor_spec spec = spec_of(&c, none);
    struct body_site copies = site;
    copies.copies = true;
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        cleanup_json json_t *body = body_make(&spec, &copies, 0);
        assert_int_equal(body_is_root(users[i].user), users[i].root);
        body_resolve(body, "sha256:1", body_is_root(users[i].user));
        assert_string_equal(json_get_string(body, "Image", ""), "sha256:1");
        assert_string_equal(body_label(body, LABEL_IMAGE), "i");
        assert_string_equal(body_label(body, LABEL_OUTPUTS), "copied");
        assert_string_equal(json_string_value(json_pointer(body, "/HostConfig/Mounts/0/Target")),
                            users[i].root ? "/leat/out" : "/leat");
    }
    const struct executor_take takes[] = {{"m", "/opt/m"}, {"n", "/n"}};
    c.takes = takes;
    c.take_count = 2;
    cleanup_json json_t *taken = body_make(&spec, &site, 0);
    assert_string_equal(body_label(taken, LABEL_TAKES), "{\"m\":\"/opt/m\",\"n\":\"/n\"}");
    c.take_count = 0;
    c.outputs = false;
    cleanup_json json_t *metrics = body_make(&spec, &copies, 0);
    assert_int_equal(body_outputs_of(body_label(metrics, LABEL_OUTPUTS)), OUTPUTS_METRICS);
    cleanup_json json_t *mounted = body_make(&spec, &site, 0);
    assert_int_equal(body_outputs_of(body_label(mounted, LABEL_OUTPUTS)), OUTPUTS_MOUNTED);
    assert_string_equal(body_label(mounted, LABEL_TAKES), "");
    assert_int_equal(body_outputs_of("of a later version"), OUTPUTS_COPIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_and_refused), cmocka_unit_test(nothing_that_reaches_out),
        cmocka_unit_test(command_and_args), cmocka_unit_test(where_outputs_lie)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
