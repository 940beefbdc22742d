#include "tests/sim/keep.h"

#include <stdlib.h>
#include <string.h>
#include "tests/sim/sim.h"

static bool has(const uint64_t *out, int n)
{
    return !(out[n / 64] >> (n % 64) & 1u);
}

static void drop(uint64_t *out, int n)
{
    out[n / 64] |= 1ull << (n % 64);
}

bool keep_fault(const struct keep *keep, int n)
{
    return n < KEEP_FAULTS && has(keep->faults, n);
}

bool keep_sending(const struct keep *keep, int n)
{
    return n < KEEP_SENDINGS && has(keep->sendings, n);
}

bool keep_pipeline(const struct keep *keep, int n)
{
    return has(keep->pipelines, n);
}

uint32_t keep_steps(const struct keep *keep, int pipeline, int version)
{
    return (uint32_t)~keep->steps[pipeline][version];
}

/* ---- one row ----------------------------------------------------------------------------------
 */

/* The word that item n of the row is in, and its place there. */
static uint64_t *place(struct keep *keep, const struct keep_counts *c, int *n)
{
    if (*n < c->pipelines)
        return keep->pipelines;
    *n -= c->pipelines;
    if (*n < c->sendings)
        return keep->sendings;
    *n -= c->sendings;
    if (*n < c->faults)
        return keep->faults;
    *n -= c->faults;
    for (int p = 0; p < KEEP_PIPELINES; p++)
        for (int v = 0; v < KEEP_VERSIONS; v++) {
            if (*n < c->steps[p][v])
                return &keep->steps[p][v];
            *n -= c->steps[p][v];
        }
    abort();
}

int keep_row(const struct keep_counts *c)
{
    int count = c->pipelines + c->sendings + c->faults;
    for (int p = 0; p < KEEP_PIPELINES; p++)
        for (int v = 0; v < KEEP_VERSIONS; v++)
            count += c->steps[p][v];
    return count;
}

void keep_drop(struct keep *keep, const struct keep_counts *counts, int n)
{
    uint64_t *word = place(keep, counts, &n);
    drop(word, n);
}

bool keep_has(const struct keep *keep, const struct keep_counts *counts, int n)
{
    struct keep copy = *keep;
    const uint64_t *word = place(&copy, counts, &n);
    const ptrdiff_t version = word - copy.steps[0]; /* its steps go with a pipeline */
    if (word >= copy.steps[0] && !has(copy.pipelines, (int)(version / KEEP_VERSIONS)))
        return false;
    return has(word, n);
}

void keep_nothing_else(struct keep *keep, const struct keep_counts *counts)
{
    for (int n = counts->faults; n < KEEP_FAULTS; n++)
        drop(keep->faults, n);
    for (int n = counts->sendings; n < KEEP_SENDINGS; n++)
        drop(keep->sendings, n);
}

int keep_faults_left(const struct keep *keep, const struct keep_counts *counts)
{
    int left = 0;
    for (int n = 0; n < counts->faults; n++)
        left += has(keep->faults, n);
    return left;
}

/* ---- as options -------------------------------------------------------------------------------
 */

static bool number_of(const char *word, int end, int *n)
{
    char *rest;
    const long value = strtol(word, &rest, 10);
    *n = (int)value;
    return rest != word && !*rest && value >= 0 && value < end;
}

static bool parse_only(uint64_t *out, int end, char *list)
{
    char *save = NULL;
    for (int n = 0; n < end; n++)
        drop(out, n);
    if (strcmp(list, "none") == 0)
        return true;
    for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        int n;
        if (!number_of(word, end, &n))
            return false;
        out[n / 64] &= ~(1ull << (n % 64));
    }
    return true;
}

static bool parse_without(struct keep *keep, char *list)
{
    char *save = NULL;
    for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        const int fault = fault_parse(word);
        if (fault < 0)
            return false;
        keep->without |= 1u << fault;
    }
    return true;
}

static bool parse_steps(struct keep *keep, char *list)
{
    char *save = NULL;
    for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        int pipeline, version, step;
        char rest;
        if (sscanf(word, "%d.%d.%d%c", &pipeline, &version, &step, &rest) != 3 || pipeline < 0 ||
            pipeline >= KEEP_PIPELINES || version < 0 || version >= KEEP_VERSIONS || step < 0 ||
            step >= KEEP_STEPS)
            return false;
        uint64_t *out = &keep->steps[pipeline][version];
        if (!*out) /* the first of this version that is named */
            *out = (1ull << KEEP_STEPS) - 1;
        *out &= ~(1ull << step);
    }
    return true;
}

bool keep_parse(struct keep *keep, const char *option, char *list)
{
    bool good;
    if (strcmp(option, "without") == 0)
        good = parse_without(keep, list);
    else if (strcmp(option, "keep-faults") == 0)
        good = parse_only(keep->faults, KEEP_FAULTS, list);
    else if (strcmp(option, "keep-sendings") == 0)
        good = parse_only(keep->sendings, KEEP_SENDINGS, list);
    else if (strcmp(option, "pipelines") == 0)
        good = parse_only(keep->pipelines, KEEP_PIPELINES, list);
    else
        good = parse_steps(keep, list);
    if (!good)
        fprintf(stderr, "leat-sim: --%s: there is no such thing in '%s'\n", option, list);
    return good;
}

static void print_only(FILE *out, const char *option, const uint64_t *words, int count)
{
    const char *between = "";
    fprintf(out, " --%s ", option);
    for (int n = 0; n < count; n++)
        if (has(words, n)) {
            fprintf(out, "%s%d", between, n);
            between = ",";
        }
    if (!*between)
        fputs("none", out);
}

static void print_steps(FILE *out, const struct keep *keep, const struct keep_counts *counts)
{
    const char *between = " --keep-steps ";
    for (int p = 0; p < KEEP_PIPELINES; p++)
        for (int v = 0; v < KEEP_VERSIONS; v++)
            for (int s = 0; s < counts->steps[p][v]; s++)
                if (has(&keep->steps[p][v], s) && has(keep->pipelines, p) && keep->steps[p][v]) {
                    fprintf(out, "%s%d.%d.%d", between, p, v, s);
                    between = ",";
                }
}

static void print_without(FILE *out, const struct keep *keep)
{
    const char *between = " --without ";
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (keep->without >> fault & 1u) {
            fprintf(out, "%s%s", between, fault_name((enum sim_fault)fault));
            between = ",";
        }
}

void keep_print(FILE *out, const struct keep *keep, const struct keep_counts *counts)
{
    print_without(out, keep);
    print_only(out, "keep-faults", keep->faults, counts->faults);
    print_only(out, "keep-sendings", keep->sendings, counts->sendings);
    print_only(out, "pipelines", keep->pipelines, counts->pipelines);
    print_steps(out, keep, counts);
}
