/* common/base/log_file.h: log lines in a file of bounded size, turned over by the process that
 * writes it: PATH, then PATH.1 (the newest old one) to PATH.KEEP. Nobody stands between the writer
 * and the file, so that no line waits for another process or is lost when one dies. A death at any
 * point loses no line: before the first rename nothing has changed; between two of them a number is
 * missing, which the next turn fills; before the new file is opened the next start makes it. What
 * others write to standard output or error of this process goes to the same file. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define LOG_FILE_SIZE (8LL * 1024 * 1024) /* usual */
#define LOG_FILE_KEEP 4

/* Standard output and error of this process become `path` (appended, 0640, copied) and log lines
 * are kept there: a line that would make it larger than `size` bytes begins a new file; at most
 * `keep` old ones stay (0 = none). PATH NULL changes nothing. When a turn fails (no rights, no
 * inode), lines go on into the old file. At start only, one a process. LEAT_EIO. */
int log_to_file(const char *path, int64_t size, int64_t keep, struct err *err);

/* For the file of another program: turns PATH over when it is larger than `size`. The program has
 * to be told to open it again, or not to run. Returns whether it was turned over; < 0 is LEAT_EIO.
 */
int log_file_turn(const char *path, int64_t size, int64_t keep, struct err *err);

/* Called by log_write before each line of `len` bytes, one thread at a time. */
void log_file_room(size_t len);
