/* How the container of a program is made. */
#include <string.h>

#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/ir/container.h"
#include "common/text/json.h"

/* What is final already is held against the rules that the worker has for all. */
static void check_literal(struct front *f, size_t step, const char *key,
                          int (*check)(const char *text, struct err *err))
{
    const json_t *value = front_field(f, step, key);
    const char *text = json_string_value(value);
    struct err err = {0};
    if (text && !strstr(text, "${{") && check(text, &err) != 0)
        front_problem(f, "%s", err.text);
}

static int image_check(const char *text, struct err *err)
{
    struct container_image image;
    return container_image_read(text, &image, err);
}

static bool may_be_container(const struct front_step *s)
{
    const char *executor = json_get_string(s->out, "executor", "");
    return strcmp(executor, "docker") == 0 ||
           (executor[0] == '\0' && json_object_get(s->out, "image"));
}

static void read_keys(struct front *f, size_t step)
{
    const json_t *container = front_field(f, step, "container");
    const size_t mark = f->at.len;
    struct err err = {0};
    if (!container)
        return;
    json_t *out = json_deep_copy(container);
    json_pointer_add(&f->at, "shm");
    const json_t *shm = json_object_get(container, "shm");
    const int64_t bytes = front_size(f, shm, CONTAINER_SHM_USUAL);
    if (shm && bytes < CONTAINER_SHM_MIN)
        front_problem(f, "shm: must be at least %d bytes", CONTAINER_SHM_MIN);
    if (shm)
        json_object_set_new(out, "shm", json_integer(bytes));
    front_at_cut(f, mark);
    json_pointer_add(&f->at, "network");
    const char *network = json_get_string(container, "network", NULL);
    if (network && container_network_check(network, &err) != 0)
        front_problem(f, "%s", err.text);
    json_object_set_new(f->step[step].out, "container", out);
}

/* Such an output cannot be had from a process, so the step does not become one where no engine is.
 */
static void check_paths(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    struct err err = {0};
    const char *name;
    json_t *output;
    json_object_foreach (json_object_get(s->out, "outputs"), name, output) {
        const char *path = json_get_string(output, "path", NULL);
        if (!path)
            continue;
        front_at_step(f, step, "outputs", name, "path", NULL);
        if (!may_be_container(s))
            front_problem(f,
                          "path: is of containers; this step is none: give it an image, or leave "
                          "path out and write to ${{ outputs.%s.path }}",
                          name);
        else if (strstr(path, "${{"))
            front_problem(f, "path: is taken as it is; no expressions");
        else if (container_output_path_check(path, &err) != 0)
            front_problem(f, "%s", err.text);
        else
            json_object_set_new(s->out, "executor", json_string("docker"));
    }
}

void front_container(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    read_keys(f, step);
    check_paths(f, step);
    if (!may_be_container(s))
        return;
    check_literal(f, step, "image", image_check);
    check_literal(f, step, "workdir", container_workdir_check);
    const int64_t memory = json_get_int(json_object_get(s->out, "resources"), "memory", 0);
    front_field(f, step, "resources");
    if (memory > 0 && memory < CONTAINER_MEMORY_MIN)
        front_problem(f, "memory: a container has at least %lld bytes",
                      (long long)CONTAINER_MEMORY_MIN);
}
