#include <string.h>

#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/ir/glob.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* "a.b.*" is everything below a.b, and not a.b itself. */
static bool type_fits(const char *pattern, const char *type)
{
    const size_t n = strlen(pattern);
    if (n >= 2 && strcmp(pattern + n - 2, ".*") == 0)
        return strncmp(pattern, type, n - 1) == 0 && type[n - 1];
    return strcmp(pattern, type) == 0;
}

static bool object_fits(const struct ir_trigger *t, const struct event *event)
{
    const char *bucket = json_get_string(event->data, "bucket", NULL);
    const char *key = json_get_string(json_get_object(event->data, "object"), "key", NULL);
    if (!(t->created && same(event->type, "dev.leat.object.created")) &&
        !(t->deleted && same(event->type, "dev.leat.object.deleted")))
        return false;
    return key && same(t->bucket, bucket) && (!t->prefix || text_starts_with(key, t->prefix)) &&
           (!t->suffix || text_ends_with(key, t->suffix));
}

static bool var_fits(const struct event *event, const char *name, const char *pattern)
{
    const char *value = json_get_string(event->vars, name, "");
    return *value && glob_match(pattern, value);
}

/* Without branch and tag any push; with both, a push of either. */
static bool push_fits(const struct ir_trigger *t, const struct event *event)
{
    if (!same(event->type, "dev.leat.git.push"))
        return false;
    const char *repository =
        t->repository && strchr(t->repository, '/') ? "REPO_FULL_NAME" : "REPO_NAME";
    if (t->repository && !var_fits(event, repository, t->repository))
        return false;
    return (!t->branch && !t->tag) || (t->branch && var_fits(event, "BRANCH_NAME", t->branch)) ||
           (t->tag && var_fits(event, "TAG_NAME", t->tag));
}

bool ir_trigger_fits(const struct ir_trigger *trigger, const char *pipeline,
                     const struct event *event)
{
    /* A tick is meant for one trigger of one pipeline. */
    const bool tick = event->leatpipeline || event->leattrigger;
    if (tick && (!same(event->leatpipeline, pipeline) || !same(event->leattrigger, trigger->name)))
        return false;
    if (trigger->source && !same(trigger->source, event->leatsource) &&
        !plant_on(PLANT_TRIGGER_OF_ANY_SOURCE))
        return false;
    switch (trigger->kind) {
    case IR_ON_OBJECT:
        return object_fits(trigger, event);
    case IR_ON_PUSH:
        return push_fits(trigger, event);
    case IR_ON_CRON:
        return tick && same(event->type, "dev.leat.cron") && same(event->leatsource, "cron");
    case IR_ON_EVENT:
        return event->type && type_fits(trigger->type, event->type);
    }
    return false;
}

bool ir_wait_fits(const struct ir_wait *wait, const struct event *event)
{
    return event->type && type_fits(wait->type, event->type) &&
           (!wait->source || same(wait->source, event->leatsource) ||
            plant_on(PLANT_WAIT_OF_ANY_SOURCE));
}
