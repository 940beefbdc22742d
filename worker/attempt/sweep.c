#include "worker/attempt/sweep.h"

#include <dirent.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/files.h"
#include "worker/worker.h"

/* Only what is named by an attempt's id can be one's. */
static int sweep(struct worker *w, const char *folder)
{
    DIR *dir = opendir(folder);
    int removed = 0;
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        struct uuid id;
        if (!uuid_parse(e->d_name, &id) || attempt_find(w, &id))
            continue;
        cleanup_free char *path = mem_printf("%s/%s", folder, e->d_name);
        tree_remove_now(path);
        removed++;
    }
    if (dir)
        closedir(dir);
    return removed;
}

void sweep_leftovers(struct worker *w)
{
    const int removed = sweep(w, w->workspaces) + sweep(w, w->logs) + sweep(w, w->secrets);
    if (removed > 0)
        log_info("removed what an earlier life left", LOG_I("files", removed));
}
