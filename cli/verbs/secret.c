/* secret set, secret remove. A value comes from standard input or a prompt, never from argv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/files.h"
#include "common/base/mem.h"

#define VALUE_MAX (64 * 1024)

static char *prompt(size_t *len)
{
    struct termios before, quiet;
    char line[4096] = "";
    tcgetattr(STDIN_FILENO, &before);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fputs("value (not shown): ", stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    char *got = fgets(line, sizeof line, stdin);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    line[strcspn(line, "\n")] = '\0';
    *len = got ? strlen(line) : 0;
    char *value = mem_bytes(line, *len);
    mem_wipe(line, sizeof line);
    return value;
}

static int run_set(const struct given *given, struct err *err)
{
    size_t len = 0;
    struct http_incoming in = {0};
    char *value = isatty(STDIN_FILENO) ? prompt(&len) : file_read("-", VALUE_MAX, &len, err);
    if (!value)
        return err->code;
    if (len && value[len - 1] == '\n') /* one newline at the end is the shell's, not the secret's */
        len--;
    cleanup_free char *path = client_path("/api/v1/secrets/%s", given_argument(given, 0));
    int rc = len ? client_raw("PUT", path, value, len, &in, err)
                 : err_set(err, LEAT_EINPUT, "the value is empty: give it on standard input");
    mem_wipe(value, len);
    free(value);
    if (rc < 0)
        return rc;
    http_incoming_free(&in);
    return 0;
}
const struct verb VERB_SECRET_SET = {.name = "secret set",
                                     .arguments = "SECRET",
                                     .summary = "Sets a secret from standard input or a prompt",
                                     .least = 1,
                                     .most = 1,
                                     .run = run_set};

static int run_remove(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/secrets/%s", given_argument(given, 0));
    const int rc = client_call("DELETE", path, NULL, NULL, err);
    return rc < 0 ? rc : 0;
}
const struct verb VERB_SECRET_REMOVE = {.name = "secret remove",
                                        .arguments = "SECRET",
                                        .summary = "Removes a secret",
                                        .least = 1,
                                        .most = 1,
                                        .run = run_remove};
