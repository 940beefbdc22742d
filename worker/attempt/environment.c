#include "worker/attempt/environment.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/worker.h"

struct list {
    char **items;
    size_t count, cap;
};

/* A later value of a name replaces the earlier. */
static void set(struct list *list, const char *name, const char *value)
{
    char *item = mem_printf("%s=%s", name, value);
    const size_t len = strlen(name) + 1;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i], item, len) == 0) {
            free(list->items[i]);
            list->items[i] = item;
            return;
        }
    MEM_ROOM(list->items, list->count, list->cap);
    list->items[list->count++] = item;
}

static void set_path(struct list *list, const char *name, const struct attempt *a,
                     const char *inside)
{
    cleanup_free char *path = attempt_path(a, inside);
    set(list, name, path);
}

static void set_base(struct list *list, const struct attempt *a)
{
    const struct worker_config *config = a->worker->config;
    set(list, "PATH", config->path);
    set(list, "LANG", "C.UTF-8");
    if (config->home)
        set(list, "HOME", config->home);
    else
        set_path(list, "HOME", a, NULL);
}

static int set_own(struct list *list, const struct order_start *start, struct err *err)
{
    for (size_t i = 0; i < start->env_count; i++) {
        const char *name = start->env[i].name;
        if (name[0] == '\0' || strchr(name, '='))
            return err_set(err, LEAT_EINPUT, "'%.100s' cannot be the name of a variable", name);
        set(list, name, start->env[i].value);
    }
    return 0;
}

static void set_leat(struct list *list, const struct attempt *a)
{
    const struct order_start *start = a->order.start;
    char run[UUID_TEXT], number[24];
    uuid_format(&start->run, run);
    snprintf(number, sizeof number, "%lld", (long long)start->number);
    const struct {
        const char *name, *value;
    } texts[] = {
        {"LEAT_RUN_ID", run},
        {"LEAT_RUN_NAME", start->run_name},
        {"LEAT_PIPELINE", start->pipeline},
        {"LEAT_EXPERIMENT", start->experiment},
        {"LEAT_STEP", start->step},
        {"LEAT_ATTEMPT", number},
        {"LEAT_ATTEMPT_ID", a->id_text},
        {"LEAT_URL", a->worker->config->api},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].value)
            set(list, texts[i].name, texts[i].value);
    const struct {
        const char *name, *inside, *in_container;
        bool wanted;
    } paths[] = {
        {"LEAT_IN", "in", CONTAINER_IN, true},
        {"LEAT_OUT", "out", CONTAINER_OUT, true},
        {"LEAT_METRICS", "metrics", CONTAINER_OUT "/" CONTAINER_METRICS, true},
        {"LEAT_PROGRESS", PROGRESS_FILE, CONTAINER_PROGRESS, start->heartbeat_us > 0},
        {"LEAT_EVENT", "event.json", CONTAINER_EVENT, start->event != NULL},
        {"LEAT_SECRETS", "secrets", CONTAINER_SECRETS, start->secrets_count > 0},
        {"LEAT_TOKEN_FILE", "secrets/.token", CONTAINER_SECRETS "/.token",
         start->secrets_count > 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (paths[i].wanted && attempt_in_container(a))
            set(list, paths[i].name, paths[i].in_container);
        else if (paths[i].wanted)
            set_path(list, paths[i].name, a, paths[i].inside);
}

char **environment_make(const struct attempt *a, struct err *err)
{
    struct list list = {0};
    if (!attempt_in_container(a)) /* its image says the rest */
        set_base(&list, a);
    const int rc = set_own(&list, a->order.start, err);
    set_leat(&list, a);
    MEM_ROOM(list.items, list.count, list.cap);
    list.items[list.count] = NULL;
    if (rc == 0)
        return list.items;
    environment_free(list.items);
    return NULL;
}

void environment_free(char **env)
{
    for (char **e = env; e && *e; e++)
        free(*e);
    free(env);
}
