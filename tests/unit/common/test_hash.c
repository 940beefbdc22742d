/* Digests against published vectors; secrets that are changed, cut or moved do not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_sha256(void **state)
{
    (void)state;
    char hex[SHA256_HEX];
    uint8_t digest[SHA256_BYTES];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, ABC);
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct sha256_stream *s = sha256_start();
    sha256_add(s, "a", 1);
    sha256_add(s, "", 0);
    sha256_add(s, "bc", 2);
    sha256_end(s, digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, ABC);
}

static void test_hmac(void **state)
{
    (void)state;
    uint8_t mac[SHA256_BYTES];
    char hex[SHA256_HEX];
    hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac); /* RFC 4231, case 2 */
    hex_encode(mac, sizeof mac, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(secret_equal("abc", 3, "abc", 3));
    assert_true(secret_equal("", 0, "x", 0));
    assert_false(secret_equal("abc", 3, "abd", 3));
    assert_false(secret_equal("abc", 3, "ab", 2));
}

static void test_seal_and_open(void **state)
{
    (void)state;
    uint8_t key[32] = {1}, other[32] = {2};
    size_t sealed_len = 0, len = 0;
    struct err err = {0};
    cleanup_free uint8_t *sealed = secret_seal(key, "name", "value\0x", 7, &sealed_len);
    assert_int_equal(sealed_len, 12 + 7 + 16);
    cleanup_free char *value = secret_open(key, "name", sealed, sealed_len, &len, NULL);
    assert_int_equal(len, 7);
    assert_memory_equal(value, "value\0x", 8);
    assert_null(secret_open(other, "name", sealed, sealed_len, &len, &err));
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_null(secret_open(key, "eman", sealed, sealed_len, &len, NULL)); /* another's row */
    for (size_t i = 0; i < sealed_len; i++) {
        sealed[i] ^= 1;
        assert_null(secret_open(key, "name", sealed, sealed_len, &len, NULL));
        assert_null(secret_open(key, "name", sealed, i, &len, NULL));
        sealed[i] ^= 1;
    }
    cleanup_free uint8_t *empty = secret_seal(key, "name", "", 0, &sealed_len);
    cleanup_free char *nothing = secret_open(key, "name", empty, sealed_len, &len, NULL);
    assert_non_null(nothing);
    assert_int_equal(len, 0);
    cleanup_free uint8_t *again = secret_seal(key, "name", "", 0, &sealed_len);
    assert_memory_not_equal(empty, again, 12); /* a nonce is used once */
}

static void test_key_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/leat-test-hash-XXXXXX";
    uint8_t key[32], again[32];
    struct err err = {0};
    struct stat st;
    assert_non_null(mkdtemp(folder));
    cleanup_free char *path = mem_printf("%s/key", folder);
    assert_int_equal(secret_key_load(path, false, key, &err), LEAT_EIO);
    assert_int_equal(secret_key_load(path, true, key, NULL), 0);
    assert_int_equal(secret_key_load(path, true, again, NULL), 0);
    assert_memory_equal(key, again, 32);
    assert_int_equal(secret_key_load(path, false, again, NULL), 0);
    assert_memory_equal(key, again, 32);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 31), 0);
    assert_int_equal(secret_key_load(path, true, again, &err), LEAT_EINPUT);
    unlink(path);
    rmdir(folder);
}

/* Eight processes that start at once end up with one key. */
static void test_key_file_is_made_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/leat-test-XXXXXX";
    uint8_t key[32], other[32];
    int ends[2], entries = 0;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(pipe(ends), 0);
    cleanup_free char *path = mem_printf("%s/key", folder);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            const bool made = secret_key_load(path, true, key, NULL) == 0;
            _exit(made && write(ends[1], key, 32) == 32 ? 0 : 1);
        }
    for (int i = 0, status = 0; i < 8; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], i == 0 ? key : other, 32), 32);
        assert_memory_equal(key, i == 0 ? key : other, 32);
    }
    DIR *dir = opendir(folder);
    while (readdir(dir))
        entries++;
    closedir(dir);
    assert_int_equal(entries, 3); /* ., .. and the key */
    close(ends[0]);
    close(ends[1]);
    unlink(path);
    rmdir(folder);
}

/* A secret that is mounted: not ours to write. Root may write all: it becomes somebody else. */
static void test_key_file_that_may_only_be_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/leat-test-XXXXXX";
    uint8_t key[32];
    int status = -1;
    assert_non_null(mkdtemp(folder));
    cleanup_free char *path = mem_printf("%s/key", folder);
    assert_int_equal(secret_key_load(path, true, key, NULL), 0);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    if (fork() == 0) {
        if (getuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(secret_key_load(path, true, key, NULL) == 0 ? 0 : 1);
    }
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(folder, 0755), 0);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_seal_and_open),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_key_file_is_made_once),
        cmocka_unit_test(test_key_file_that_may_only_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
