/* worker/keeper/table.h: the keeper's memory that outlives it: a file mapped into memory, one
 * record an attempt. A store into the mapping survives the death of the process, without a system
 * call; after a power cut the boot id says that nothing of it runs any more.
 * A record's fields are written before the state that makes them good. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/uuid.h"
#include "worker/keeper/wire.h"

enum record_state {
    RECORD_FREE = 0,
    RECORD_KNOWN,  /* taken in, not begun */
    RECORD_BEGUN,  /* its process is there: pid and begun_us are good */
    RECORD_EXITED, /* exit is good */
};

struct keeper_record {
    struct uuid attempt;
    _Atomic uint32_t state; /* enum record_state */
    int32_t pid;            /* also its process group and session */
    int64_t begun_us;       /* CLOCK_BOOTTIME just before the process was made */
    struct keeper_exit exit;
};

#define TABLE_BOOT 40 /* bytes of a boot id, the NUL included */

struct table {
    int fd;
    struct table_head *head;
    size_t capacity;
    uint32_t *free_slots; /* a stack */
    size_t free_count;
};

/* The boot id of the kernel that runs; "" when it cannot be read. */
void boot_id(char out[TABLE_BOOT]);

/* Opens or makes DIR/KEEPER_TABLE. *same_boot: it was written since this machine started. */
int table_open(struct table *t, const char *dir, bool *same_boot, struct err *err);
void table_close(struct table *t);

/* A new KNOWN record; its slot, or < 0: LEAT_EFULL, LEAT_EIO. Records may move. */
int64_t table_add(struct table *t, const struct uuid *attempt, struct err *err);
struct keeper_record *table_at(const struct table *t, size_t slot); /* until the next table_add */
void table_remove(struct table *t, size_t slot);

static inline enum record_state record_state(const struct keeper_record *r)
{
    return (enum record_state)atomic_load_explicit(&r->state, memory_order_acquire);
}

static inline void record_move(struct keeper_record *r, enum record_state state)
{
    atomic_store_explicit(&r->state, (uint32_t)state, memory_order_release);
}
