/* common/base/fd.h: what is done with a file that is open. */
#pragma once
#include <stddef.h>

/* Writes all of it, in as many pieces as the kernel takes. Blocks. 0, or -1 with errno set: a part
 * may be written then. */
int fd_write(int fd, const void *data, size_t len);
