#include "cli/verb.h"

#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define V(name) extern const struct verb VERB_##name;
VERB_LIST(V)
#undef V

#define V(name) &VERB_##name,
const struct verb *const VERBS[] = {VERB_LIST(V) NULL};
#undef V

struct given_option {
    const struct option *option;
    const char *value;
};

struct given {
    struct given_option *options;
    size_t option_count, option_cap;
    const char **arguments;
    size_t argument_count, argument_cap;
};

const struct verb *verb_find(int argc, char *const *argv, int *words)
{
    for (int wanted = argc < 2 ? argc : 2; wanted > 0; wanted--) {
        cleanup_free char *name =
            wanted == 2 ? mem_printf("%s %s", argv[0], argv[1]) : mem_string(argv[0]);
        for (const struct verb *const *v = VERBS; *v; v++)
            if (strcmp((*v)->name, name) == 0) {
                *words = wanted;
                return *v;
            }
    }
    return NULL;
}

static const struct option options_of_all[] = {
    {"help", 'h', NULL, false, "this text"},
    {"context", 0, "CONTEXT", false, "call the Leat of this context (leat context list)"},
    {"url", 0, "URL", false, "call the API there"},
};

const struct option *verb_option_of_all(const struct verb *verb, size_t n)
{
    return n < (verb->offline ? 1 : ARRAY_LEN(options_of_all)) ? &options_of_all[n] : NULL;
}

static bool is_named(const struct option *o, const char *name, size_t len)
{
    return strlen(o->name) == len && memcmp(o->name, name, len) == 0;
}

const struct option *verb_option(const struct verb *verb, const char *name, size_t len)
{
    const struct option *o;
    for (o = verb->options; o && o->name; o++)
        if (is_named(o, name, len))
            return o;
    for (size_t i = 0; (o = verb_option_of_all(verb, i)) != NULL; i++)
        if (is_named(o, name, len))
            return o;
    return NULL;
}

const struct option *verb_option_letter(const struct verb *verb, char letter)
{
    const struct option *o;
    for (o = verb->options; letter && o && o->name; o++)
        if (o->letter == letter)
            return o;
    for (size_t i = 0; (o = verb_option_of_all(verb, i)) != NULL; i++)
        if (letter && o->letter == letter)
            return o;
    return NULL;
}

static int refuse_unknown(const struct verb *verb, const char *word, struct err *err)
{
    const char *names[64] = {0};
    size_t n = 0;
    for (const struct option *o = verb->options; o && o->name && n < ARRAY_LEN(names) - 1; o++)
        names[n++] = o->name;
    for (size_t i = 0; verb_option_of_all(verb, i) && n < ARRAY_LEN(names) - 1; i++)
        names[n++] = verb_option_of_all(verb, i)->name;
    const char *near = text_nearest(word + strspn(word, "-"), names);
    return err_set(err, LEAT_EUSAGE, "leat %s: there is no option %s%s%s%s; see leat %s --help",
                   verb->name, word, near ? " (did you mean --" : "", near ? near : "",
                   near ? "?)" : "", verb->name);
}

static int add_option(struct given *g, const struct verb *verb, const struct option *option,
                      const char *value, struct err *err)
{
    for (size_t i = 0; !option->repeated && i < g->option_count; i++)
        if (g->options[i].option == option)
            return err_set(err, LEAT_EUSAGE, "leat %s: --%s is given twice", verb->name,
                           option->name);
    MEM_ROOM(g->options, g->option_count, g->option_cap);
    g->options[g->option_count++] = (struct given_option){option, value};
    return 0;
}

/* One word that begins with '-': takes the value from `next` where it is not in the word itself.
 * Returns the number of words used. */
static int parse_option(struct given *g, const struct verb *verb, const char *word,
                        const char *next, struct err *err)
{
    const bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    const size_t len = equals ? (size_t)(equals - word - 2) : strlen(word + 1) - 1;
    const struct option *option =
        is_long ? verb_option(verb, word + 2, len) : verb_option_letter(verb, word[1]);
    if (!option)
        return refuse_unknown(verb, word, err);
    const char *value = equals ? equals + 1 : !is_long && word[2] ? word + 2 : NULL;
    if (!option->value && value)
        return err_set(err, LEAT_EUSAGE, "leat %s: --%s takes no value", verb->name, option->name);
    int used = 1;
    if (option->value && !value) {
        value = next;
        used = 2;
    }
    if (option->value && !value)
        return err_set(err, LEAT_EUSAGE, "leat %s: --%s needs a value (%s)", verb->name,
                       option->name, option->value);
    const int rc = add_option(g, verb, option, value ? value : "", err);
    return rc < 0 ? rc : used;
}

static int check_count(const struct given *g, const struct verb *verb, struct err *err)
{
    const int n = (int)g->argument_count;
    if (given_flag(g, "help") || (n >= verb->least && (verb->most < 0 || n <= verb->most)))
        return 0;
    return err_set(err, LEAT_EUSAGE, "usage: leat %s%s%s", verb->name, *verb->arguments ? " " : "",
                   verb->arguments);
}

int given_parse(const struct verb *verb, int argc, char *const *argv, struct given **out,
                struct err *err)
{
    struct given *g = mem_alloc(sizeof *g);
    bool only_arguments = false;
    for (int i = 0; i < argc;) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
            i++;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
            const int used = parse_option(g, verb, argv[i], i + 1 < argc ? argv[i + 1] : NULL, err);
            if (used < 0) {
                given_free(g);
                return used;
            }
            i += used;
        } else {
            MEM_ROOM(g->arguments, g->argument_count, g->argument_cap);
            g->arguments[g->argument_count++] = argv[i++];
        }
    }
    const int rc = check_count(g, verb, err);
    if (rc < 0)
        given_free(g);
    else
        *out = g;
    return rc;
}

void given_free(struct given *given)
{
    if (!given)
        return;
    free(given->options);
    free(given->arguments);
    free(given);
}

const char *given_nth(const struct given *given, const char *name, size_t n)
{
    for (size_t i = 0; i < given->option_count; i++)
        if (strcmp(given->options[i].option->name, name) == 0 && n-- == 0)
            return given->options[i].value;
    return NULL;
}

const char *given_value(const struct given *given, const char *name, const char *fallback)
{
    const char *value = given_nth(given, name, 0);
    return value ? value : fallback;
}

bool given_flag(const struct given *given, const char *name)
{
    return given_nth(given, name, 0) != NULL;
}

const char *given_argument(const struct given *given, size_t n)
{
    return n < given->argument_count ? given->arguments[n] : NULL;
}
