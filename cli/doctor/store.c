/* The store: a probe is written, read back and removed, as Leat's user. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/s3/s3.h"
#include "common/store/store.h"

struct probe {
    struct loop *loop;
    const char *text;
    struct err err;
    bool same;
};

static void done(void *arg, const struct store_object *object, const struct err *err)
{
    struct probe *p = arg;
    if (err)
        p->err = *err;
    p->same = object && object->data && strcmp(object->data, p->text) == 0;
    loop_stop(p->loop);
}

/* Says what failed, NULL when nothing did. */
static const char *try_it(struct store *store, const char *name, struct probe *p)
{
    const size_t len = strlen(p->text);
    store_put_named(store, name, p->text, len, STORE_DURABLE, done, p);
    loop_run(p->loop);
    if (p->err.code)
        return "writing";
    store_read(store, name, 0, len, done, p);
    loop_run(p->loop);
    if (p->err.code || !p->same)
        return "reading back";
    store_remove(store, name, done, p);
    loop_run(p->loop);
    return p->err.code ? "removing" : NULL;
}

static int style_of(const char *name)
{
    for (int i = 0; name && S3_STYLES[i]; i++)
        if (strcmp(S3_STYLES[i], name) == 0)
            return i;
    return S3_AUTO;
}

static void probe(const struct up_settings *s, const char *where, struct finding *f)
{
    struct probe p = {.loop = loop_new(), .text = "a probe of leat doctor"};
    struct store *store = NULL;
    cleanup_free char *name = mem_printf("doctor/%d", getpid());
    const struct store_options options = {.endpoint = s->store_endpoint,
                                          .region = s->store_region,
                                          .credentials = s->store_credentials,
                                          .style = style_of(s->store_style)};
    const char *todo =
        where[0] != '/' ? "mend what it says; docs/store.md has the settings"
                        : "give Leat's user the folder (chown), or free space; or another --store";
    if (store_open(p.loop, where, &options, &store, &p.err) < 0) {
        found(f, DOCTOR_WRONG, todo, "%s", p.err.text);
        return;
    }
    const int64_t began = clock_monotonic_us();
    const char *failed = try_it(store, name, &p);
    if (failed)
        found(f, DOCTOR_WRONG, todo, "%s: %s: %s", where, failed,
              p.err.code ? p.err.text : "other bytes than were written");
    else
        found(f, DOCTOR_OK, NULL, "%s: written, read and removed in %lld ms", where,
              (long long)((clock_monotonic_us() - began) / US_PER_MS));
}

void doctor_store(const struct doctor *d, struct finding *f)
{
    const char *where = d->settings->store_at ? d->settings->store_at : d->settings->store;
    cleanup_free char *above = where[0] == '/' ? doctor_existing(where) : NULL;
    struct stat st;
    if (where[0] != '/' || stat(where, &st) == 0)
        probe(d->settings, where, f);
    else if (access(above, W_OK | X_OK) == 0 || !d->settings->store_at)
        found(f, DOCTOR_OK, NULL, "%s will be made", where);
    else
        found(f, DOCTOR_WRONG, "make it and give it to Leat's user (mkdir, chown)",
              "%s is not there, and %s: %s", where, above, strerror(errno));
}
