#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"

void ir_found_free(struct ir_found *found)
{
    free(found->bytes);
    free(found->name);
    *found = (struct ir_found){0};
}

/* Takes the last segment away, or leads one further up. */
static void go_up(struct text *path)
{
    size_t end = path->len;
    while (end > 0 && path->data[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path->data[begin - 1] != '/')
        begin--;
    const bool up = end - begin == 2 && strncmp(path->data + begin, "..", 2) == 0;
    if (end == begin || up)
        text_puts(path, "../");
    else
        path->len = begin;
}

char *ir_relative(const char *from, const char *reference, struct err *err)
{
    struct text path = {0};
    const char *slash = strrchr(from, '/');
    if (strstr(from, "://")) {
        err_set(err, LEAT_EINPUT, "what came over https names others by https and hash");
        return NULL;
    }
    text_append(&path, from, slash ? (size_t)(slash + 1 - from) : 0);
    for (const char *at = reference; *at;) {
        const size_t len = strcspn(at, "/");
        const bool last = at[len] == '\0';
        if (len == 2 && strncmp(at, "..", 2) == 0)
            go_up(&path);
        else if (len > 0 && !(len == 1 && *at == '.'))
            text_append(&path, at, len + !last);
        at += len + !last;
    }
    text_append(&path, "", 0);
    path.data[path.len] = '\0';
    return text_take(&path);
}
