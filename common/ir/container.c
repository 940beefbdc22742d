#include "common/ir/container.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define NAME_MAX_BYTES 255
#define TAG_MAX        128
#define DIGEST_MIN     32

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* ---- an image's name ------------------------------------------------------------------------ */

/* "." | "_" | "__" | "-"…: what may stand between two runs of letters of a path. */
static size_t separator(const char *s)
{
    if (s[0] == '-')
        return strspn(s, "-");
    if (s[0] == '_' && s[1] == '_')
        return 2;
    return s[0] == '.' || s[0] == '_' ? 1 : 0;
}

static bool path_part_ok(const char *s, size_t len)
{
    size_t at = 0;
    while (at < len && (is_lower(s[at]) || is_digit(s[at]))) {
        while (at < len && (is_lower(s[at]) || is_digit(s[at])))
            at++;
        const size_t between = at < len ? separator(s + at) : 0;
        if (between == 0 || at + between >= len)
            break;
        at += between;
    }
    return len > 0 && at == len;
}

static bool host_ok(const char *s, size_t len)
{
    size_t at = 0, label = 0;
    for (; at < len && s[at] != ':'; at++) {
        if (s[at] == '.' && (label == 0 || s[at - 1] == '-'))
            return false;
        if (s[at] != '.' && !is_alnum(s[at]) && (s[at] != '-' || label == 0))
            return false;
        label = s[at] == '.' ? 0 : label + 1;
    }
    if (label == 0 || s[at - 1] == '-')
        return false;
    if (at == len)
        return true;
    const size_t port = len - at - 1;
    if (port == 0 || port > 5)
        return false;
    for (size_t i = at + 1; i < len; i++)
        if (!is_digit(s[i]))
            return false;
    return true;
}

/* The first part is a host when it looks like one: a dot, a port, or "localhost". */
static bool looks_like_host(const char *s, size_t len)
{
    if (len == 9 && memcmp(s, "localhost", 9) == 0)
        return true;
    for (size_t i = 0; i < len; i++)
        if (s[i] == '.' || s[i] == ':')
            return true;
    return false;
}

static bool name_ok(const char *s, size_t len)
{
    const char *slash = memchr(s, '/', len);
    size_t at = 0;
    if (slash && looks_like_host(s, (size_t)(slash - s))) {
        if (!host_ok(s, (size_t)(slash - s)))
            return false;
        at = (size_t)(slash - s) + 1;
    }
    if (len == 0 || len > NAME_MAX_BYTES || at >= len)
        return false;
    while (at <= len) {
        const char *end = memchr(s + at, '/', len - at);
        const size_t part = end ? (size_t)(end - s) - at : len - at;
        if (!path_part_ok(s + at, part))
            return false;
        at += part + 1;
    }
    return true;
}

static bool tag_ok(const char *s, size_t len)
{
    if (len == 0 || len > TAG_MAX || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
            return false;
    return true;
}

static bool digest_ok(const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);
    const size_t head = colon ? (size_t)(colon - s) : 0;
    if (head == 0 || len - head - 1 < DIGEST_MIN || len - head - 1 > 128)
        return false;
    for (size_t i = 0; i < head; i++)
        if (!is_lower(s[i]) && !is_digit(s[i]))
            return false;
    for (size_t i = head + 1; i < len; i++)
        if (!is_hex(s[i]))
            return false;
    return head != 6 || memcmp(s, "sha256", 6) != 0 || len == 6 + 1 + 64;
}

int container_image_read(const char *text, struct container_image *out, struct err *err)
{
    struct container_image image = {0};
    const size_t len = strlen(text);
    const char *at = strchr(text, '@');
    const size_t before = at ? (size_t)(at - text) : len;
    size_t colon = before;
    for (size_t i = 0; i < before; i++)
        colon = text[i] == '/' ? before : text[i] == ':' ? i : colon;
    image.name = colon;
    if (colon < before) {
        image.tag_at = colon + 1;
        image.tag = before - colon - 1;
    }
    if (at) {
        image.digest_at = before + 1;
        image.digest = len - before - 1;
    }
    cleanup_text struct text shown = {0};
    cleanup_free char *few = mem_printf("%.200s", text);
    text_quote(&shown, few);
    if (len > CONTAINER_IMAGE_MAX || !name_ok(text, image.name))
        return err_set(err, LEAT_EINPUT,
                       "%s is not the name of an image: [HOST[:PORT]/]PATH[:TAG][@DIGEST] in lower "
                       "case",
                       shown.data);
    if (colon < before && !tag_ok(text + image.tag_at, image.tag))
        return err_set(err, LEAT_EINPUT,
                       "the tag of image %s is not 1 to %d letters, digits, '_', '.' or '-'",
                       shown.data, TAG_MAX);
    if (at && !digest_ok(text + image.digest_at, image.digest))
        return err_set(err, LEAT_EINPUT, "the digest of image %s is not sha256:<64 hex digits>",
                       shown.data);
    *out = image;
    return 0;
}

/* ---- folders and networks ------------------------------------------------------------------- */

static bool is_below(const char *path, const char *top)
{
    const size_t len = strlen(top);
    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool has_dots(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        const size_t len = strcspn(part, "/");
        if ((len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
            return true;
    }
    return false;
}

static int path_check(const char *text, const char *key, struct err *err)
{
    if (text[0] != '/' || strlen(text) > CONTAINER_WORKDIR_MAX)
        return err_set(err, LEAT_EINPUT, "%s: of a container is an absolute path of at most %d",
                       key, CONTAINER_WORKDIR_MAX);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return err_set(err, LEAT_EINPUT, "%s: has a control character", key);
    if (has_dots(text) || strstr(text, "//"))
        return err_set(err, LEAT_EINPUT, "%s: has an empty part, '.' or '..'", key);
    return 0;
}

int container_output_path_check(const char *text, struct err *err)
{
    static const char *const TAKEN[] = {"/proc", "/sys", "/dev", "/leat"};
    if (path_check(text, "path", err) != 0)
        return LEAT_EINPUT;
    if (text[strlen(text) - 1] == '/')
        return err_set(err, LEAT_EINPUT, "path: names a file or folder, without '/' at its end");
    for (size_t i = 0; i < ARRAY_LEN(TAKEN); i++)
        if (is_below(text, TAKEN[i]))
            return err_set(err, LEAT_EINPUT, "path: no output comes out of %s", TAKEN[i]);
    return 0;
}

int container_workdir_check(const char *text, struct err *err)
{
    static const char *const TAKEN[] = {"/proc", "/sys", "/dev", "/leat/in", "/leat/secrets"};
    if (path_check(text, "workdir", err) != 0)
        return LEAT_EINPUT;
    for (size_t i = 0; i < ARRAY_LEN(TAKEN); i++)
        if (is_below(text, TAKEN[i]))
            return err_set(err, LEAT_EINPUT, "workdir: no container begins in %s", TAKEN[i]);
    return 0;
}

int container_network_check(const char *text, struct err *err)
{
    const size_t len = strlen(text);
    bool ok = len > 0 && len <= CONTAINER_NETWORK_MAX && is_alnum(text[0]);
    for (size_t i = 0; ok && i < len; i++)
        ok = is_alnum(text[i]) || strchr("_.-", text[i]) != NULL;
    if (!ok)
        return err_set(err, LEAT_EINPUT,
                       "network: is none, default, host or a network's name (letters, digits, '_', "
                       "'.', '-'); another container's or namespace cannot be joined");
    return 0;
}
