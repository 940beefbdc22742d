#include "scheduler/core/worker/hello.h"

#include <utlist.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "scheduler/core/place/abilities.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/place/place.h"
#include "scheduler/core/place/pools.h"
#include "scheduler/core/worker/retire.h"

static json_t *names_of(const char *const *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *info_of(const struct report_hello *hello)
{
    json_t *executors = names_of(hello->executors, hello->executors_count);
    json_t *info = json_pack(
        "{s:I, s:s, s:f, s:I, s:I, s:o, s:s, s:s, s:I}", "slots", (json_int_t)hello->slots, "pool",
        hello->pool && *hello->pool ? hello->pool : "default", "cpu", hello->cpu, "memory",
        (json_int_t)hello->memory, "gpu", (json_int_t)hello->gpu, "executors", executors,
        "workspace", hello->workspace, "version", hello->version ? hello->version : "", "epoch",
        (json_int_t)hello->epoch);
    if (hello->abilities_count)
        json_object_set_new(info, "abilities", names_of(hello->abilities, hello->abilities_count));
    if (hello->labels)
        json_object_set(info, "labels", hello->labels);
    if (hello->runtime)
        json_object_set_new(info, "runtime", json_string(hello->runtime));
    return info;
}

static void take_executors(struct worker *w, const json_t *names)
{
    w->executors = 1u << ORDER_START_EXECUTOR_OBJECTS; /* built into every worker */
    w->default_executor = ORDER_START_EXECUTOR_NONE;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *text = json_string_value(json_array_get(names, i));
        int executor = text ? order_executor_parse(text) : ORDER_START_EXECUTOR_NONE;
        if (executor == ORDER_START_EXECUTOR_NONE)
            continue; /* one that this leader does not know */
        w->executors |= 1u << executor;
        if (w->default_executor == ORDER_START_EXECUTOR_NONE)
            w->default_executor = executor;
    }
}

static void move_to_pool(struct core *core, struct worker *w, struct pool *pool)
{
    if (w->pool == pool)
        return;
    place_leave(core, w);
    w->pool = pool;
    DL_APPEND(pool->workers, w);
    place_pool_changed(core, pool);
}

void hello_recall(struct core *core, struct worker *w, json_t *info)
{
    json_incref(info);
    json_decref(w->info);
    w->info = info;
    w->has = (struct capacity){
        .slots = (int32_t)json_get_int(info, "slots", 0),
        .gpu = (int32_t)json_get_int(info, "gpu", 0),
        .cpu = json_get_double(info, "cpu", 0),
        .memory = json_get_int(info, "memory", 0),
    };
    w->overfull = w->used.slots > w->has.slots || w->used.gpu > w->has.gpu;
    free(w->workspace);
    w->workspace = mem_string(json_get_string(info, "workspace", ""));
    take_executors(w, json_get_array(info, "executors"));
    w->abilities = abilities_of(json_get_array(info, "abilities"));
    /* In the row, too: who dies before it has raised its own leaves that to the next leader. */
    int64_t epoch = json_get_int(info, "epoch", 0);
    if (epoch > core->highest_epoch)
        core->highest_epoch = epoch;
    move_to_pool(core, w, pool_get(core, json_get_string(info, "pool", "default")));
}

void hello_take(struct core *core, struct worker *w, const struct report_hello *hello)
{
    json_t *info = info_of(hello);
    hello_recall(core, w, info);
    json_decref(info);
    free(w->boot);
    w->boot = mem_string(hello->boot);
    w->removed = false;
    retire_note(w);
}
