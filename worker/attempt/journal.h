/* worker/attempt/journal.h: what a worker must still know after its own death: an append-only file
 * of records. A write is enough (it survives a crash of the process; after a power cut nothing runs
 * any more); at_most_once orders are synced as well. A torn record at the end is cut off; the file
 * is written anew when most of it is over. Blocking, but only on the page cache, or as it says. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/uuid.h"

#define JOURNAL_FILE "journal"

/*    identifier   value  what it holds */
#define JOURNAL_KINDS(K)                                                                           \
    K(JOURNAL_WORKER, 1, "id of the worker, as text: the first record")                            \
    K(JOURNAL_BUS, 2, "uuid of the bus that the offset is of")                                     \
    K(JOURNAL_OFFSET, 3, "next order offset to read")                                              \
    K(JOURNAL_EPOCH, 4, "highest epoch seen")                                                      \
    K(JOURNAL_NUMBERS, 5, "report numbers up to this one may have been used")                      \
    K(JOURNAL_ORDER, 6, "a start that was taken in: attempt, nonce, offset, the order's text")     \
    K(JOURNAL_FINISHED, 7, "attempt, nonce, the report's text")                                    \
    K(JOURNAL_OVER, 8, "attempt: acknowledged or given up; offset")                                \
    K(JOURNAL_REFUSE, 9, "attempt: cancelled or revoked before it came; offset")                   \
    K(JOURNAL_LOG, 10, "attempt: chunks and bytes of its log that are in the store")               \
    K(JOURNAL_ASKED, 11, "attempt: enum attempt_asked; grace, which of them, why")

enum journal_kind {
#define K(id, value, text) id = value,
    JOURNAL_KINDS(K)
#undef K
};

/* Fields that a kind does not have are zero. */
struct journal_record {
    enum journal_kind kind;
    struct uuid id;   /* attempt, or bus */
    int64_t number;   /* offset, epoch, number; ORDER, FINISHED: nonce; LOG: chunks; ASKED: grace */
    int64_t offset;   /* ORDER, OVER, REFUSE: of the order; LOG: bytes; ASKED: enum attempt_asked */
    const char *text; /* WORKER, ORDER, FINISHED, ASKED; borrowed */
    size_t len;
};

struct journal;

/* Gives every record to `take`, in order, then stands at the end. A file that is no journal is
 * refused; one whose end was torn is cut there (*torn bytes). */
int journal_open(const char *dir, void (*take)(void *arg, const struct journal_record *record),
                 void *arg, size_t *torn, struct journal **out, struct err *err);
void journal_close(struct journal *j); /* what was not written is dropped; takes NULL */

void journal_put(struct journal *j,
                 const struct journal_record *record);     /* in memory until the flush */
size_t journal_pending(const struct journal *j);           /* bytes not yet written */
void journal_take_back(struct journal *j, size_t pending); /* drops what was put after that mark */
/* One write of all that is pending. On failure nothing of it is in the file and all of it stays
 * pending: LEAT_EFULL, LEAT_EIO. */
int journal_write(struct journal *j, struct err *err);
/* What is written survives a power cut too. Blocks on the disk. LEAT_EIO, LEAT_EFULL. */
int journal_sync(struct journal *j, struct err *err);

/* True when it pays to write the file anew. */
bool journal_wants_rewrite(const struct journal *j);
/* Replaces the file by what `put_all` puts; pending must be empty. The old file stays on failure.
 */
int journal_rewrite(struct journal *j, void (*put_all)(void *arg, struct journal *j), void *arg,
                    struct err *err);
