/* leat: the command line. Finds the verb, parses its options, runs it, shows its error. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/help.h"
#include "cli/verb.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static int show(void (*fill)(const struct verb *, struct text *), const struct verb *verb)
{
    cleanup_text struct text out = {0};
    fill(verb, &out);
    fputs(out.data, stdout);
    return 0;
}

static void fill_all(const struct verb *verb, struct text *out)
{
    (void)verb;
    help_all(out);
}

static int refuse_verb(const char *word)
{
    const char *names[64] = {0};
    for (size_t i = 0, n = 0; VERBS[i] && n < ARRAY_LEN(names) - 1; i++)
        if (!VERBS[i]->hidden)
            names[n++] = VERBS[i]->name;
    const char *near = text_nearest(word, names);
    fprintf(stderr, "leat: there is no verb '%s'%s%s%s; see leat --help\n", word,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return err_exit_status(LEAT_EUSAGE);
}

static int run_verb(const struct verb *verb, int argc, char *const *argv)
{
    struct err err = {0};
    struct given *given = NULL;
    int rc = given_parse(verb, argc, argv, &given, &err);
    if (rc == 0 && given_flag(given, "help"))
        rc = show(help_verb, verb);
    else if (rc == 0)
        rc = verb->offline || (rc = context_choose(given, &err)) == 0 ? verb->run(given, &err) : rc;
    given_free(given);
    if (rc < 0) {
        fflush(stdout);
        fprintf(stderr, "leat: %s\n", err.text);
        return err_exit_status(rc);
    }
    return rc;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        show(fill_all, NULL);
        return argc < 2 ? err_exit_status(LEAT_EUSAGE) : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("leat " LEAT_VERSION);
        return 0;
    }
    int words = 0;
    const struct verb *verb = verb_find(argc - 1, argv + 1, &words);
    return verb ? run_verb(verb, argc - 1 - words, argv + 1 + words) : refuse_verb(argv[1]);
}
