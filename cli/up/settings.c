#include "cli/up/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"

/* A socket's path must stay below 108 bytes: DATA/run/doorbells/<32 hex digits>.sock. */
#define DATA_MAX 50

static char *default_data(void)
{
    if (geteuid() == 0)
        return mem_string("/var/lib/leat");
    const char *share = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    return share && *share ? mem_printf("%s/leat", share)
                           : mem_printf("%s/.local/share/leat", home ? home : "");
}

char *up_data_folder(const struct given *given, struct err *err)
{
    const char *text = given_value(given, "data", NULL);
    char cwd[PATH_MAX];
    cleanup_free char *data = NULL;
    if (!text)
        data = default_data();
    else if (text[0] == '/')
        data = mem_string(text);
    else if (getcwd(cwd, sizeof cwd))
        data = mem_printf("%s/%s", cwd, text);
    if (!data || strlen(data) > DATA_MAX) {
        err_set(err, LEAT_EINPUT,
                "--data: the folder's absolute path may have %d characters (sockets lie in it)",
                DATA_MAX);
        return NULL;
    }
    return TAKE(data);
}

static int check_choices(const struct up_settings *s, struct err *err)
{
    if (strcmp(s->bus, "embedded") != 0)
        return err_set(err, LEAT_EUSAGE, "--bus %s: this build has the embedded bus only", s->bus);
    if (strcmp(s->executor, "auto") != 0 && strcmp(s->executor, "process") != 0)
        return err_set(err, LEAT_EUSAGE,
                       "--executor %s: this build has the process executor (auto takes it)",
                       s->executor);
    if (s->store_at && s->store_at[0] != '/')
        return err_set(err, LEAT_EUSAGE, "--store %s: this build takes an absolute folder",
                       s->store_at);
    return 0;
}

int up_settings_read(const struct given *given, struct up_settings *out, struct err *err)
{
    *out = (struct up_settings){
        .user = given_value(given, "user", "leat"),
        .listen = given_value(given, "listen", "127.0.0.1:8080"),
        .hooks = given_value(given, "hooks", "127.0.0.1:8081"),
        .database = given_value(given, "database", NULL),
        .store_at = given_value(given, "store", NULL),
        .bus = given_value(given, "bus", "embedded"),
        .executor = given_value(given, "executor", "auto"),
        .slots = given_value(given, "slots", NULL),
        .path = given_value(given, "path", NULL),
        .detach = given_flag(given, "detach"),
        .insecure = given_flag(given, "insecure"),
    };
    const int rc = check_choices(out, err);
    if (rc < 0)
        return rc;
    out->data = up_data_folder(given, err);
    if (!out->data)
        return err ? err->code : LEAT_EINPUT;
#define F(field, name) out->field = mem_printf("%s/%s", out->data, name);
    UP_FOLDERS(F)
#undef F
    out->conninfo = out->database ? mem_string(out->database)
                                  : mem_printf("host=%s port=5432 user=leat dbname=leat", out->run);
    return 0;
}

void up_settings_free(struct up_settings *settings)
{
    free(settings->data);
    free(settings->conninfo);
#define F(field, name) free(settings->field);
    UP_FOLDERS(F)
#undef F
    *settings = (struct up_settings){0};
}
