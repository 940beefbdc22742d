#include "cli/complete.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/context.h"
#include "cli/verb.h"
#include "common/base/mem.h"
#include "common/base/states.h"
#include "common/text/json.h"

struct completion {
    const char *begun; /* what has been typed of the word */
    const char *kept;  /* "--output=" before it; "" = nothing */
    size_t kept_len;
    const char *run, *url, *context; /* given before */
    bool call;
    struct text *out;
};

static void offer(struct completion *c, const char *word, const char *what)
{
    if (!text_starts_with(word, c->begun) || strpbrk(word, "\t\r\n"))
        return;
    text_append(c->out, c->kept, c->kept_len);
    text_printf(c->out, "%s\t", word);
    for (; *what; what++) /* one line each, whatever the names hold */
        text_append(c->out, (unsigned char)*what < 0x20 ? " " : what, 1);
    text_puts(c->out, "\n");
}

/* ---- names of what there is ---------------------------------------------------------------- */

/* "@RUN" stands for the run that was given before. */
static const struct source {
    const char *kind; /* as the argument or the option's value is called */
    const char *path;
    const char *list;    /* member that is the list */
    const char *word[2]; /* members; two are joined with a dot */
    const char *what[2]; /* members that describe it */
} sources[] = {
    {"RUN", "/api/v1/runs?limit=100", "items", {"id"}, {"name", "state"}},
    {"PIPELINE", "/api/v1/pipelines", "items", {"name"}, {"description"}},
    {"SOURCE", "/api/v1/sources", "items", {"name"}, {"provider"}},
    {"SECRET", "/api/v1/secrets", "items", {"name"}, {0}},
    {"WORKER", "/api/v1/workers", "items", {"id"}, {"state"}},
    {"EVENT", "/api/v1/events?limit=100", "items", {"id"}, {"source", "type"}},
    {"STEP", "/api/v1/runs/@RUN", "steps", {"name"}, {"state"}},
    {"STEP.OUTPUT", "/api/v1/runs/@RUN/artifacts", "items", {"step", "output"}, {0}},
};

static char *path_of(const struct source *s, const struct completion *c)
{
    const char *at = strstr(s->path, "@RUN");
    if (!at)
        return mem_string(s->path);
    if (!c->run)
        return NULL;
    cleanup_free char *run = client_path("%s", c->run);
    return mem_printf("%.*s%s%s", (int)(at - s->path), s->path, run, at + strlen("@RUN"));
}

static void offer_item(struct completion *c, const struct source *s, const json_t *item)
{
    const char *first = json_get_string(item, s->word[0], NULL);
    const char *second = s->word[1] ? json_get_string(item, s->word[1], NULL) : NULL;
    cleanup_free char *word =
        mem_printf("%s%s%s", first ? first : "", second ? "." : "", second ? second : "");
    const char *what = s->what[0] ? json_get_string(item, s->what[0], "") : "";
    const char *more = s->what[1] ? json_get_string(item, s->what[1], "") : "";
    cleanup_free char *described = mem_printf("%s%s%s", what, *more ? " " : "", more);
    if (first)
        offer(c, word, described);
}

static void offer_source(struct completion *c, const struct source *s)
{
    cleanup_json json_t *answer = NULL;
    cleanup_free char *path = path_of(s, c);
    size_t i;
    json_t *item;
    if (!c->call || !path || context_choose_named(c->url, c->context, NULL) < 0 ||
        client_call("GET", path, NULL, &answer, NULL) < 0)
        return;
    json_array_foreach (json_object_get(answer, s->list), i, item)
        offer_item(c, s, item);
}

static void offer_contexts(struct completion *c)
{
    cleanup_json json_t *all = contexts_read(NULL);
    const char *name;
    json_t *context;
    json_object_foreach (json_object_get(all, "contexts"), name, context)
        offer(c, name, json_get_string(context, "url", ""));
}

static void offer_states(struct completion *c)
{
    for (int i = 0; i < MACHINE_RUN.count; i++)
        offer(c, machine_state_name(&MACHINE_RUN, i), "");
}

static void offer_latest(struct completion *c)
{
    offer(c, "latest", "the newest run");
}

static const struct {
    const char *kind;
    void (*offer)(struct completion *c);
} built_in[] = {{"CONTEXT", offer_contexts}, {"STATE", offer_states}, {"RUN", offer_latest}};

/* "json|mermaid": the words themselves. */
static void offer_words(struct completion *c, const char *words)
{
    cleanup_free char *copy = mem_string(words);
    char *save = NULL;
    for (char *w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save))
        offer(c, w, "");
}

/* What an argument or a value called `kind` may be. */
static void offer_kind(struct completion *c, const char *kind)
{
    if (*kind >= 'a' && *kind <= 'z')
        offer_words(c, kind);
    else if (strcmp(kind, "FORMAT") == 0)
        offer_words(c, "table|wide|json|yaml|name");
    else if (strcmp(kind, "FILE") == 0 || strcmp(kind, "DIR") == 0)
        text_puts(c->out, ":files\n");
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
        if (strcmp(built_in[i].kind, kind) == 0)
            built_in[i].offer(c);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (strcmp(sources[i].kind, kind) == 0)
            offer_source(c, &sources[i]);
}

/* ---- the command line ---------------------------------------------------------------------- */

/* The n-th word of "RUN [STEP]"; the last one again where it is repeated ("FILE..."). Without its
 * brackets and what may follow a name: PIPELINE of PIPELINE[@VERSION], FILE of FILE|DIR... */
static char *argument_kind(const struct verb *verb, size_t n)
{
    const char *at = verb->arguments;
    for (;;) {
        const size_t len = strcspn(at, " ");
        if (n == 0 || (!at[len] && len >= 3 && strncmp(at + len - 3, "...", 3) == 0)) {
            at += *at == '[';
            if (*at >= 'a' && *at <= 'z')
                return mem_bytes(at, strcspn(at, " ]"));
            size_t end = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.");
            while (end > 0 && at[end - 1] == '.')
                end--;
            return mem_bytes(at, end);
        }
        if (!at[len])
            return NULL;
        at += len + 1;
        n--;
    }
}

static bool is_first(const struct verb *const *v, size_t len)
{
    for (const struct verb *const *before = VERBS; before != v; before++)
        if (!(*before)->hidden && strncmp((*before)->name, (*v)->name, len) == 0 &&
            strcspn((*before)->name, " ") == len)
            return false;
    return true;
}

/* First words of verbs, each once. */
static void offer_verbs(struct completion *c)
{
    for (const struct verb *const *v = VERBS; *v; v++) {
        const size_t len = strcspn((*v)->name, " ");
        cleanup_free char *word = mem_bytes((*v)->name, len);
        if (!(*v)->hidden && is_first(v, len))
            offer(c, word, (*v)->name[len] ? "" : (*v)->summary);
    }
    offer(c, "help", "all verbs");
}

/* Second words of the verbs that begin with `first`. */
static void offer_second(struct completion *c, const char *first)
{
    const size_t len = strlen(first);
    for (const struct verb *const *v = VERBS; *v; v++)
        if (!(*v)->hidden && strncmp((*v)->name, first, len) == 0 && (*v)->name[len] == ' ')
            offer(c, (*v)->name + len + 1, (*v)->summary);
}

static void offer_option(struct completion *c, const struct option *o)
{
    cleanup_free char *name = mem_printf("--%s", o->name);
    offer(c, name, o->help);
}

static void offer_options(struct completion *c, const struct verb *verb)
{
    for (const struct option *o = verb->options; o && o->name; o++)
        offer_option(c, o);
    for (size_t i = 0; verb_option_of_all(verb, i); i++)
        offer_option(c, verb_option_of_all(verb, i));
}

/* "--name=value", "--name", "-nvalue", "-n": which, and the value in the word (NULL = none). */
static const struct option *option_of(const struct verb *verb, const char *word, const char **value)
{
    *value = NULL;
    if (word[0] != '-' || !word[1])
        return NULL;
    if (word[1] != '-') {
        *value = word[2] ? word + 2 : NULL;
        return verb_option_letter(verb, word[1]);
    }
    const char *equals = strchr(word, '=');
    *value = equals ? equals + 1 : NULL;
    return verb_option(verb, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
}

static void note_option(struct completion *c, const struct option *o, const char *value)
{
    if (value && strcmp(o->name, "url") == 0)
        c->url = value;
    if (value && strcmp(o->name, "context") == 0)
        c->context = value;
}

/* The words between the verb and the one to complete. Returns the option that waits for its value,
 * or NULL; *arguments counts the rest; *only_arguments: "--" stood there. */
static const struct option *walk(struct completion *c, const struct verb *verb, char *const *words,
                                 size_t count, size_t *arguments, bool *only_arguments)
{
    for (size_t i = 0; i < count; i++) {
        const char *value;
        const struct option *o = *only_arguments ? NULL : option_of(verb, words[i], &value);
        if (!*only_arguments && strcmp(words[i], "--") == 0) {
            *only_arguments = true;
        } else if (!o) {
            if (words[i][0] != '-' && (*arguments)++ == 0)
                c->run = words[i];
        } else if (o->value && !value && i + 1 == count) {
            return o;
        } else {
            i += o->value && !value;
            note_option(c, o, value ? value : words[i]);
        }
    }
    return NULL;
}

static void complete_verb(struct completion *c, const struct verb *verb, char *const *words,
                          size_t count)
{
    size_t arguments = 0;
    bool only_arguments = false;
    const char *value;
    const struct option *waits = walk(c, verb, words, count, &arguments, &only_arguments);
    if (waits) {
        offer_kind(c, waits->value);
        return;
    }
    const struct option *o = only_arguments ? NULL : option_of(verb, c->begun, &value);
    if (o && o->value && value) {
        c->kept = c->begun;
        c->kept_len = (size_t)(value - c->begun);
        c->begun = value;
        offer_kind(c, o->value);
    } else if (!only_arguments && c->begun[0] == '-') {
        offer_options(c, verb);
    } else {
        cleanup_free char *kind = argument_kind(verb, arguments);
        if (kind)
            offer_kind(c, kind);
    }
}

void complete_words(char *const *words, size_t count, bool call, struct text *out)
{
    int used = 0;
    if (count == 0)
        return;
    struct completion c = {.begun = words[count - 1], .kept = "", .call = call, .out = out};
    if (count == 1) {
        offer_verbs(&c);
        return;
    }
    const struct verb *verb = verb_find((int)count - 1, words, &used);
    if (count == 2)
        offer_second(&c, words[0]);
    if (verb)
        complete_verb(&c, verb, words + used, count - 1 - (size_t)used);
}
