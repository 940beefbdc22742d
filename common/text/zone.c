#include "common/text/zone.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/text/zone_rule.h"

#define ZONE_FOLDER    "/usr/share/zoneinfo"
#define FILE_BYTES_MAX (256 * 1024)
#define OFFSET_MAX_S   (26 * 3600) /* no clock on Earth is further from UTC */

struct change {
    int64_t at;
    int32_t offset_s; /* from there on */
};

struct zone {
    int32_t first_s;        /* before the first change */
    struct change *changes; /* ascending */
    size_t count;
    bool has_rule; /* for what comes after the last change */
    struct zone_rule rule;
};

/* ---- the file ------------------------------------------------------------------------------- */

struct header {
    unsigned char version;
    uint32_t isut, isstd, leap, time, type, chars;
};

struct bytes {
    const uint8_t *p, *end;
};

#define HEADER_BYTES 44

static uint32_t be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

static int64_t be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (int64_t)be64toh(v);
}

static bool take_header(struct bytes *in, struct header *h)
{
    if (in->end - in->p < HEADER_BYTES || memcmp(in->p, "TZif", 4) != 0)
        return false;
    h->version = in->p[4];
    uint32_t *const fields[] = {&h->isut, &h->isstd, &h->leap, &h->time, &h->type, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = be32(in->p + 20 + 4 * i);
        if (*fields[i] > FILE_BYTES_MAX)
            return false;
    }
    in->p += HEADER_BYTES;
    return true;
}

/* Bytes of the data block; `width` is that of a time, 4 or 8. */
static size_t block_bytes(const struct header *h, size_t width)
{
    return h->time * (width + 1) + h->type * 6UL + h->chars + h->leap * (width + 4) + h->isstd +
           h->isut;
}

static bool read_block(struct zone *z, struct bytes *in, const struct header *h, size_t width)
{
    if ((size_t)(in->end - in->p) < block_bytes(h, width) || h->type == 0 || h->leap != 0)
        return false;
    const uint8_t *times = in->p, *indexes = times + h->time * width, *types = indexes + h->time;
    for (uint32_t i = 0; i < h->type; i++) {
        const int32_t offset = (int32_t)be32(types + 6 * i);
        if (offset > OFFSET_MAX_S || offset < -OFFSET_MAX_S)
            return false;
    }
    z->first_s = (int32_t)be32(types);
    z->changes = mem_array(h->time, sizeof *z->changes);
    for (uint32_t i = 0; i < h->time; i++) {
        if (indexes[i] >= h->type)
            return false;
        const uint8_t *at = times + i * width;
        z->changes[i].at = width == 8 ? be64(at) : (int32_t)be32(at);
        z->changes[i].offset_s = (int32_t)be32(types + 6 * indexes[i]);
        if (i > 0 && z->changes[i].at <= z->changes[i - 1].at)
            return false;
    }
    z->count = h->time;
    in->p += block_bytes(h, width);
    return true;
}

/* "\nRULE\n"; an empty rule means that nothing is known of later years. */
static bool read_footer(struct zone *z, struct bytes *in)
{
    if (in->p == in->end || *in->p != '\n')
        return false;
    const uint8_t *begin = in->p + 1, *end = memchr(begin, '\n', (size_t)(in->end - begin));
    char text[128];
    if (!end || end - begin >= (ptrdiff_t)sizeof text)
        return false;
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    if (*text == '\0')
        return true;
    z->has_rule = zone_rule_parse(text, &z->rule);
    return z->has_rule;
}

static bool read_file(struct zone *z, struct bytes *in)
{
    struct header h;
    if (!take_header(in, &h))
        return false;
    if (h.version == '\0')
        return read_block(z, in, &h, 4);
    const size_t skipped = block_bytes(&h, 4); /* the same in 32 bits, for old readers */
    if ((size_t)(in->end - in->p) < skipped)
        return false;
    in->p += skipped;
    return take_header(in, &h) && read_block(z, in, &h, 8) && read_footer(z, in);
}

struct zone *zone_parse(const void *data, size_t len, struct err *err)
{
    struct bytes in = {data, (const uint8_t *)data + len};
    cleanup_zone struct zone *z = mem_alloc(sizeof *z);
    if (len > FILE_BYTES_MAX || !read_file(z, &in)) {
        err_set(err, LEAT_EINPUT, "not a time zone file (TZif without leap seconds)");
        return NULL;
    }
    return TAKE(z);
}

struct zone *zone_fixed(int32_t offset_s)
{
    struct zone *z = mem_alloc(sizeof *z);
    z->first_s = offset_s;
    return z;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->changes);
    free(zone);
}

/* ---- by name -------------------------------------------------------------------------------- */

/* Letters, digits, _ + - in segments between single slashes: no dot, so no way out. */
static bool is_zone_name(const char *name)
{
    const size_t n = strlen(name);
    if (n == 0 || n > ZONE_NAME_MAX || name[0] == '/' || name[n - 1] == '/' || strstr(name, "//"))
        return false;
    return name[strspn(
               name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

static int read_whole(int fd, char *data, size_t cap, size_t *len)
{
    for (*len = 0; *len < cap;) {
        const ssize_t n = read(fd, data + *len, cap - *len);
        if (n == 0)
            return 0;
        if (n > 0)
            *len += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

struct zone *zone_load(const char *name, struct err *err)
{
    if (strcmp(name, "UTC") == 0)
        return zone_fixed(0);
    if (!is_zone_name(name)) {
        err_set(err, LEAT_EINPUT, "a time zone is named like Europe/Rome or UTC");
        return NULL;
    }
    char path[sizeof ZONE_FOLDER + 1 + ZONE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", ZONE_FOLDER, name);
    cleanup_close const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        if (access(ZONE_FOLDER, X_OK) < 0)
            err_set(err, LEAT_EIO, "no time zones in %s: install tzdata", ZONE_FOLDER);
        else
            err_set(err, LEAT_EINPUT, "there is no time zone \"%s\"", name);
        return NULL;
    }
    cleanup_free char *data = mem_alloc(FILE_BYTES_MAX + 1);
    size_t len;
    if (read_whole(fd, data, FILE_BYTES_MAX + 1, &len) < 0) {
        err_errno(err, errno, "%s", path);
        return NULL;
    }
    struct zone *z = zone_parse(data, len, err);
    if (!z)
        err_wrap(err, "%s", name);
    return z;
}

/* ---- offsets -------------------------------------------------------------------------------- */

/* How many changes are at or before `utc_s`. */
static size_t changes_until(const struct zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (z->changes[middle].at <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *until_s)
{
    int64_t ignored;
    if (!until_s)
        until_s = &ignored;
    const size_t n = changes_until(zone, utc_s);
    if (n == zone->count && zone->has_rule)
        return zone_rule_offset(&zone->rule, utc_s, until_s);
    *until_s = n < zone->count ? zone->changes[n].at : INT64_MAX;
    return n == 0 ? zone->first_s : zone->changes[n - 1].offset_s;
}

int64_t zone_to_utc(const struct zone *zone, int64_t local_s)
{
    int64_t begin = local_s - OFFSET_MAX_S; /* the local clock is not past local_s there */
    for (;;) {
        int64_t until;
        const int64_t at = local_s - zone_offset(zone, begin, &until);
        if (at < until)
            return at > begin ? at : begin; /* before: the clocks jumped over it */
        begin = until;
    }
}
