#include "cli/up/database.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define LINE_MAX_BYTES 4096

static bool holds_password(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL); /* NULL: said when we connect */
    bool found = false;
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        found |= o->val && *o->val && text_ends_with(o->keyword, "password");
    PQconninfoFree(options);
    return found;
}

static int read_file(const char *path, char **out, struct err *err)
{
    char line[LINE_MAX_BYTES + 1];
    struct stat st;
    if (path[0] != '/')
        return err_set(err, LEAT_EUSAGE, "--database-file %s: give an absolute path", path);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "--database-file: %s", path);
    if (st.st_mode & 077)
        return err_set(err, LEAT_EREFUSED,
                       "--database-file: others can read %s: chmod 600 it, and change the password",
                       path);
    const ssize_t n = read(fd, line, sizeof line);
    if (n < 0)
        return err_errno(err, errno, "--database-file: %s", path);
    if (n == (ssize_t)sizeof line)
        return err_set(err, LEAT_ELIMIT, "--database-file: %s has more than %d bytes", path,
                       LINE_MAX_BYTES);
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line)
        return err_set(err, LEAT_EINPUT, "--database-file: %s has no first line", path);
    *out = mem_string(line);
    mem_wipe(line, sizeof line);
    return 0;
}

static int from_options(const struct given *given, char **out, struct err *err)
{
    const char *text = given ? given_value(given, "database", NULL) : NULL;
    const char *file = given ? given_value(given, "database-file", NULL) : NULL;
    if (text)
        *out = mem_string(text);
    return file && !text ? read_file(file, out, err) : 0;
}

int up_database_find(const struct given *given, const struct given *then, const char *then_env,
                     char **out, struct err *err)
{
    const char *own_env = getenv(UP_DATABASE_ENV);
    const char *text = given_value(given, "database", NULL);
    *out = NULL;
    if (text && holds_password(text))
        return err_set(
            err, LEAT_EREFUSED,
            "--database holds a password, and everybody on this machine can read command "
            "lines: put it into a file that only you can read and give --database-file "
            "FILE, or into " UP_DATABASE_ENV);
    int rc = from_options(given, out, err);
    if (rc == 0 && !*out && own_env && *own_env)
        *out = mem_string(own_env);
    if (rc == 0 && !*out)
        rc = from_options(then, out, err);
    if (rc == 0 && !*out && then_env && *then_env)
        *out = mem_string(then_env);
    return rc;
}

PGconn *up_database_connect(const char *conninfo, struct err *err)
{
    static const char *const keys[] = {"connect_timeout", "dbname", NULL};
    const char *const values[] = {"5", conninfo, NULL};
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    if (!parsed) { /* libpq's own words would repeat it, password and all */
        err_set(err, LEAT_EINPUT, "what --database says is no connection string or URL");
        return NULL;
    }
    PQconninfoFree(parsed);
    PGconn *conn = PQconnectdbParams(keys, values, true);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    cleanup_free char *why = mem_string(PQerrorMessage(conn));
    for (char *p = why; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = p[1] ? ' ' : '\0';
    err_set(err, LEAT_EUNREACHABLE, "%s", why);
    PQfinish(conn);
    return NULL;
}
