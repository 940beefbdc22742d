/* tests/unit/cli/capture.h: what a function prints, on a file or on a terminal of its own. */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cli/verb.h"
#include "common/base/text.h"

/* An argv of literals. */
#define WORDS(...) ((char *const *)(const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int capture_saved, capture_end;

static inline void capture_begin(bool terminal)
{
    int ends[2];
    fflush(stdout);
    capture_saved = dup(STDOUT_FILENO);
    if (terminal) {
        struct termios raw;
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
        ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
        tcgetattr(ends[1], &raw);
        cfmakeraw(&raw);
        tcsetattr(ends[1], TCSANOW, &raw);
    } else {
        assert_int_equal(pipe(ends), 0);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    capture_end = ends[0];
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
}

/* What was printed since (less than a pipe holds); to be freed. */
static inline char *capture_take(void)
{
    struct text out = {0};
    char piece[4096];
    ssize_t n;
    fflush(stdout);
    while ((n = read(capture_end, piece, sizeof piece)) > 0)
        text_append(&out, piece, (size_t)n);
    dup2(capture_saved, STDOUT_FILENO);
    close(capture_saved);
    close(capture_end);
    return text_take(&out);
}

/* The command line of a verb that has the options of `verb`. */
static inline struct given *given_of(const struct verb *verb, int argc, char *const *argv)
{
    struct given *given = NULL;
    struct err err = {0};
    assert_int_equal(given_parse(verb, argc, argv, &given, &err), 0);
    return given;
}
