/* Names of images as their registries are asked for them, and what a registry wants to know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/registry.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void lies_at(const char *image, const char *host, const char *path, const char *tag)
{
    struct registry_place place;
    struct err err = {0};
    assert_int_equal(registry_place(image, &place, &err), 0);
    assert_string_equal(place.host, host);
    assert_string_equal(place.path, path);
    assert_string_equal(place.tag, tag);
}

static void names_are_read_as_the_engine_does(void **state)
{
    (void)state;
    lies_at("alpine", "registry-1.docker.io", "library/alpine", "latest");
    lies_at("alpine:3.20", "registry-1.docker.io", "library/alpine", "3.20");
    lies_at("docker.io/alpine", "registry-1.docker.io", "library/alpine", "latest");
    lies_at("bitnami/kafka:3", "registry-1.docker.io", "bitnami/kafka", "3");
    lies_at("ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1");
    lies_at("localhost/a", "localhost", "a", "latest");
    lies_at("127.0.0.1:5000/a:1", "127.0.0.1:5000", "a", "1");
    lies_at("reg:5000/a", "reg:5000", "a", "latest");
    lies_at("reg:5000/a@" DIGEST, "reg:5000", "a", DIGEST);
    lies_at("alpine:3.20@" DIGEST, "registry-1.docker.io", "library/alpine", DIGEST);
}

static void logins_are_found_under_the_host(void **state)
{
    (void)state;
    struct registry_place place;
    struct err err = {0};
    assert_int_equal(registry_place("alpine", &place, &err), 0);
    assert_string_equal(place.key, "https://index.docker.io/v1/");
    assert_int_equal(registry_place("ghcr.io/a", &place, &err), 0);
    assert_string_equal(place.key, "ghcr.io");
}

static void what_is_no_tag_is_refused(void **state)
{
    (void)state;
    struct registry_place place;
    struct err err = {0};
    char image[600];
    assert_int_equal(registry_place("UPPER", &place, &err), LEAT_EINPUT);
    assert_int_equal(registry_place("a@sha256:0123", &place, &err), LEAT_EINPUT);
    assert_int_equal(registry_digest("a@" DIGEST, (char[REGISTRY_DIGEST]){0}, &err), LEAT_EINPUT);
    assert_non_null(strstr(err.text, "has a digest"));
    memset(image, 'a', sizeof image);
    image[512] = '\0';
    assert_int_equal(registry_place(image, &place, &err), LEAT_EINPUT);
    assert_int_equal(registry_place("", &place, &err), LEAT_EINPUT);
}

static void challenges_are_taken_apart(void **state)
{
    (void)state;
    struct registry_challenge c;
    assert_true(registry_challenge("Bearer realm=\"https://auth.example/token\","
                                   "service=\"registry.example\",scope=\"repository:a/b:pull\"",
                                   &c));
    assert_true(c.bearer);
    assert_string_equal(c.realm, "https://auth.example/token");
    assert_string_equal(c.service, "registry.example");
    assert_string_equal(c.scope, "repository:a/b:pull");
    assert_true(registry_challenge("bearer scope=a, realm=b , error=\"x\\\"y\"", &c));
    assert_string_equal(c.realm, "b ");
    assert_string_equal(c.service, "");
    assert_true(registry_challenge("Basic realm=\"x\"", &c));
    assert_false(c.bearer);
}

static void broken_challenges_are_none(void **state)
{
    (void)state;
    static const char *const BROKEN[] = {"",
                                         "Bearer",
                                         "Bearer ",
                                         "Negotiate abc",
                                         "Bearer service=\"a\"",
                                         "Bearer realm",
                                         "Bearer realm=\"a",
                                         "Bearer realm=\"a\\",
                                         "Bearer realm=\"a\",scope"};
    struct registry_challenge c;
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++)
        assert_false(registry_challenge(BROKEN[i], &c));
    char longest[1200];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest, "Bearer realm=", 13);
    assert_false(registry_challenge(longest, &c));
    longest[13 + REGISTRY_PART_MAX - 2] = '\0';
    assert_true(registry_challenge(longest, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_as_the_engine_does),
        cmocka_unit_test(logins_are_found_under_the_host),
        cmocka_unit_test(what_is_no_tag_is_refused),
        cmocka_unit_test(challenges_are_taken_apart),
        cmocka_unit_test(broken_challenges_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
