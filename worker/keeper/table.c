#include "worker/keeper/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

#define MAGIC        "LEATKPR1"
#define HEAD_BYTES   4096
#define RECORD_BYTES 384
#define FIRST_COUNT  64
#define MOST_COUNT   (1 << 20)

struct table_head {
    char magic[8];
    uint32_t record_bytes;
    uint32_t capacity;
    char boot[TABLE_BOOT];
};

_Static_assert(sizeof(struct keeper_record) <= RECORD_BYTES, "a record outgrew its place");
_Static_assert(sizeof(struct table_head) <= HEAD_BYTES, "the head outgrew its page");

void boot_id(char out[TABLE_BOOT])
{
    out[0] = '\0';
    cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, out, TABLE_BOOT - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static size_t file_bytes(size_t capacity)
{
    return HEAD_BYTES + capacity * RECORD_BYTES;
}

struct keeper_record *table_at(const struct table *t, size_t slot)
{
    return (struct keeper_record *)((char *)t->head + HEAD_BYTES + slot * RECORD_BYTES);
}

/* The blocks are reserved: a store into a hole of a full disk would be a SIGBUS. */
static int reach(struct table *t, size_t capacity, struct err *err)
{
    const int rc = posix_fallocate(t->fd, 0, (off_t)file_bytes(capacity));
    if (rc != 0)
        return err_errno(err, rc, "%s", KEEPER_TABLE);
    void *map =
        t->head ? mremap(t->head, file_bytes(t->capacity), file_bytes(capacity), MREMAP_MAYMOVE)
                : mmap(NULL, file_bytes(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
    if (map == MAP_FAILED)
        return err_errno(err, errno, "%s: mmap", KEEPER_TABLE);
    t->head = map;
    t->free_slots = mem_grow(t->free_slots, capacity, sizeof *t->free_slots);
    for (size_t i = capacity; i-- > t->capacity;)
        if (record_state(table_at(t, i)) == RECORD_FREE)
            t->free_slots[t->free_count++] = (uint32_t)i;
    t->capacity = capacity;
    t->head->capacity = (uint32_t)capacity;
    return 0;
}

static void begin_file(struct table *t)
{
    memcpy(t->head->magic, MAGIC, sizeof t->head->magic);
    t->head->record_bytes = RECORD_BYTES;
}

/* Capacity that the file was left with, FIRST_COUNT for a new one. */
static int64_t read_capacity(int fd, struct err *err)
{
    struct table_head head = {0};
    struct stat st;
    if (fstat(fd, &st) != 0 || (st.st_size > 0 && pread(fd, &head, sizeof head, 0) < 0))
        return err_errno(err, errno, "%s", KEEPER_TABLE);
    if (head.magic[0] == '\0') /* new, or never got further than its size */
        return FIRST_COUNT;
    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || head.record_bytes != RECORD_BYTES ||
        head.capacity < FIRST_COUNT || head.capacity > MOST_COUNT ||
        (size_t)st.st_size < file_bytes(head.capacity))
        return err_set(err, LEAT_EINPUT,
                       "%s is not a keeper's table of this version; move it away "
                       "when nothing of it runs any more",
                       KEEPER_TABLE);
    return head.capacity;
}

int table_open(struct table *t, const char *dir, bool *same_boot, struct err *err)
{
    cleanup_free char *path = mem_printf("%s/%s", dir, KEEPER_TABLE);
    *t = (struct table){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (t->fd < 0)
        return err_errno(err, errno, "%s", path);
    const int64_t capacity = read_capacity(t->fd, err);
    if (capacity < 0 || reach(t, (size_t)capacity, err) != 0) {
        table_close(t);
        return LEAT_EIO;
    }
    char boot[TABLE_BOOT];
    boot_id(boot);
    begin_file(t);
    *same_boot = strncmp(t->head->boot, boot, sizeof boot) == 0;
    memcpy(t->head->boot, boot, sizeof boot);
    return 0;
}

void table_close(struct table *t)
{
    if (t->head)
        munmap(t->head, file_bytes(t->capacity));
    if (t->fd >= 0)
        close(t->fd);
    free(t->free_slots);
    *t = (struct table){.fd = -1};
}

int64_t table_add(struct table *t, const struct uuid *attempt, struct err *err)
{
    if (t->free_count == 0) {
        if (t->capacity * 2 > MOST_COUNT)
            return err_set(err, LEAT_EFULL, "the keeper holds %zu attempts", t->capacity);
        const int rc = reach(t, t->capacity * 2, err);
        if (rc != 0)
            return rc;
    }
    const uint32_t slot = t->free_slots[--t->free_count];
    struct keeper_record *r = table_at(t, slot);
    r->attempt = *attempt;
    r->pid = 0;
    r->begun_us = 0;
    r->exit = (struct keeper_exit){0};
    record_move(r, RECORD_KNOWN);
    return slot;
}

void table_remove(struct table *t, size_t slot)
{
    record_move(table_at(t, slot), RECORD_FREE);
    t->free_slots[t->free_count++] = (uint32_t)slot;
}
