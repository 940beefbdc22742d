/* triggers/buckets/internal.h: the bucket's state, for the files of this folder. */
#pragma once
#include <uthash.h>
#include "triggers/buckets/bucket.h"

struct known { /* an announced object, or one being announced */
    UT_hash_handle hh;
    int64_t size;
    bool marked; /* seen by the scan under way */
    char version[BUCKET_VERSION_TEXT];
    char key[];
};

struct bucket {
    struct triggers *triggers;
    char *name, *source, *root;
    struct known *known;
    struct watch *watch;
    struct loop_timer again; /* the scan that makes up for a failure */
    bool loaded;             /* `known` has come from Postgres */
    bool scanning, scan_again;
    bool closed; /* forgotten; freed when its last callback has come */
    int open;    /* callbacks still to come */
    struct bucket *next;
};

void bucket_release(struct bucket *bucket); /* one callback less */
