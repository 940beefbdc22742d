#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/uuid.h"

#define NONCE_BYTES 12
#define TAG_BYTES   16

/* libcrypto fails here only without memory or when it is broken. */
static void must(int ok)
{
    if (!ok)
        abort();
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
    must(EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL));
}

void hex_encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
    uint8_t digest[SHA256_BYTES];
    sha256(data, len, digest);
    hex_encode(digest, sizeof digest, out);
}

struct sha256_stream {
    EVP_MD_CTX *ctx;
};

struct sha256_stream *sha256_start(void)
{
    struct sha256_stream *s = mem_alloc(sizeof *s);
    s->ctx = EVP_MD_CTX_new();
    must(s->ctx && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL));
    return s;
}

void sha256_add(struct sha256_stream *s, const void *data, size_t len)
{
    must(EVP_DigestUpdate(s->ctx, data, len));
}

void sha256_end(struct sha256_stream *s, uint8_t out[SHA256_BYTES])
{
    must(EVP_DigestFinal_ex(s->ctx, out, NULL));
    EVP_MD_CTX_free(s->ctx);
    free(s);
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES])
{
    must(HMAC(EVP_sha256(), key, (int)key_len, data, len, out, NULL) != NULL);
}

bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

uint8_t *secret_seal(const uint8_t key[32], const char *name, const void *value, size_t len,
                     size_t *sealed_len)
{
    uint8_t *sealed = mem_alloc(NONCE_BYTES + len + TAG_BYTES);
    random_bytes(sealed, NONCE_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    must(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed));
    must(EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)name, (int)strlen(name)));
    must(EVP_EncryptUpdate(ctx, sealed + NONCE_BYTES, &n, value, (int)len));
    must(EVP_EncryptFinal_ex(ctx, sealed + NONCE_BYTES + n, &n));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, sealed + NONCE_BYTES + len));
    EVP_CIPHER_CTX_free(ctx);
    *sealed_len = NONCE_BYTES + len + TAG_BYTES;
    return sealed;
}

char *secret_open(const uint8_t key[32], const char *name, const uint8_t *sealed, size_t sealed_len,
                  size_t *value_len, struct err *err)
{
    if (sealed_len < NONCE_BYTES + TAG_BYTES) {
        err_set(err, LEAT_EINPUT, "secret '%s': its sealed value is cut short", name);
        return NULL;
    }
    const size_t len = sealed_len - NONCE_BYTES - TAG_BYTES;
    char *value = mem_alloc(len + 1);
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed + NONCE_BYTES + len, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    must(ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed));
    must(EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)name, (int)strlen(name)));
    must(EVP_DecryptUpdate(ctx, (uint8_t *)value, &n, sealed + NONCE_BYTES, (int)len));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag));
    const int ok = EVP_DecryptFinal_ex(ctx, (uint8_t *)value + n, &n);
    EVP_CIPHER_CTX_free(ctx);
    if (ok <= 0) {
        mem_wipe(value, len);
        free(value);
        err_set(err, LEAT_EINPUT, "secret '%s' cannot be opened with this key file", name);
        return NULL;
    }
    *value_len = len;
    return value;
}

/* Read-only: the key may be a file that this process may not write (a mounted secret). */
static int key_read(const char *path, uint8_t key[32], struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "key file %s", path);
    if (read(fd, key, 32) != 32)
        return err_set(err, LEAT_EINPUT, "key file %s does not hold 32 bytes", path);
    return 0;
}

/* Whole under its name or not at all, and never over another: of several daemons that start at once
 * one makes it, all read that one. */
static int key_make(const char *path, struct err *err)
{
    uint8_t key[32], random[8];
    char suffix[2 * sizeof random + 1];
    random_bytes(key, sizeof key);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, suffix);
    cleanup_free char *fresh = mem_printf("%s.%s", path, suffix);
    cleanup_close int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "key file %s", path);
    int rc = 0;
    if (write(fd, key, sizeof key) != (ssize_t)sizeof key || fsync(fd) != 0 ||
        (link(fresh, path) != 0 && errno != EEXIST))
        rc = err_errno(err, errno, "key file %s", path);
    unlink(fresh);
    mem_wipe(key, sizeof key);
    return rc;
}

int secret_key_load(const char *path, bool create, uint8_t key[32], struct err *err)
{
    if (create && access(path, F_OK) != 0 && errno == ENOENT && key_make(path, err) < 0)
        return err ? err->code : LEAT_EIO;
    return key_read(path, key, err);
}
