#include "common/base/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *process;
} points[] = {
#define F(id, name, process) {name, process},
    FAILPOINTS(F)
#undef F
};

const char *failpoint_name(enum failpoint point)
{
    return points[point].name;
}

const char *failpoint_process(enum failpoint point)
{
    return points[point].process;
}

#ifdef LEAT_FAILPOINTS

enum act { ACT_NONE, ACT_KILL, ACT_STOP, ACT_ERROR, ACT_DELAY };

static struct {
    long at; /* pass number that acts; 0 = not armed */
    enum act act;
    long passes;
} armed[FAILPOINT_COUNT];

static enum act act_of(const char *word)
{
    static const char *const words[] = {"", "kill", "stop", "error", "delay"};
    for (int i = ACT_KILL; i <= ACT_DELAY; i++)
        if (strcmp(words[i], word) == 0)
            return (enum act)i;
    fprintf(stderr, "LEAT_FAILPOINT: '%s' is none of kill, stop, error, delay\n", word);
    exit(2);
}

static void arm(char *spec)
{
    char *save = NULL;
    const char *name = strtok_r(spec, ":", &save);
    const char *at = strtok_r(NULL, ":", &save);
    const char *act = strtok_r(NULL, ":", &save);
    for (int i = 0; name && i < FAILPOINT_COUNT; i++)
        if (strcmp(points[i].name, name) == 0) {
            armed[i].at = at ? strtol(at, NULL, 10) : 1;
            armed[i].act = act ? act_of(act) : ACT_KILL;
            return;
        }
    fprintf(stderr, "LEAT_FAILPOINT: there is no '%s'\n", name ? name : "");
    exit(2);
}

static void arm_all(const char *text)
{
    char *copy = strdup(text);
    char *save = NULL;
    for (char *one = copy ? strtok_r(copy, ",\n", &save) : NULL; one;
         one = strtok_r(NULL, ",\n", &save))
        arm(one);
    free(copy);
}

/* LEAT_FAILPOINT=@FILE: what the file says now. */
static void read_file(const char *path)
{
    static struct timespec read_at;
    struct stat st;
    if (stat(path, &st) != 0 ||
        (st.st_mtim.tv_sec == read_at.tv_sec && st.st_mtim.tv_nsec == read_at.tv_nsec))
        return;
    read_at = st.st_mtim;
    memset(armed, 0, sizeof armed);
    char text[1024] = "";
    FILE *file = fopen(path, "re");
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    arm_all(text);
}

static void parse_environment(void)
{
    static bool parsed;
    const char *text = getenv("LEAT_FAILPOINT");
    if (text && text[0] == '@')
        read_file(text + 1);
    else if (text && !parsed)
        arm_all(text);
    parsed = true;
}

/* With a log a point acts once over all processes and their restarts. */
static bool acted_before(enum failpoint point)
{
    const char *path = getenv("LEAT_FAILPOINT_LOG");
    FILE *log = path ? fopen(path, "re") : NULL;
    char line[64];
    bool found = false;
    while (log && !found && fgets(line, sizeof line, log)) {
        line[strcspn(line, "\n")] = '\0';
        found = strcmp(line, points[point].name) == 0;
    }
    if (log)
        fclose(log);
    return found;
}

static void record(enum failpoint point)
{
    const char *path = getenv("LEAT_FAILPOINT_LOG");
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        return;
    dprintf(fd, "%s\n", points[point].name);
    close(fd);
}

bool failpoint_hit(enum failpoint point)
{
    parse_environment();
    if (armed[point].at == 0 || ++armed[point].passes != armed[point].at)
        return false;
    if (acted_before(point))
        return false;
    record(point);
    if (armed[point].act == ACT_KILL)
        kill(getpid(), SIGKILL);
    if (armed[point].act == ACT_STOP)
        kill(getpid(), SIGSTOP);
    if (armed[point].act == ACT_DELAY)
        usleep(300000);
    return armed[point].act == ACT_ERROR;
}

#endif
