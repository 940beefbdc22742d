/* common/base/notify.h: tells a supervisor (systemd, `leat up`) how a daemon is.
 * The protocol of sd_notify: datagrams to the socket in NOTIFY_SOCKET; nothing happens without. */
#pragma once

/* state: "READY=1", "STOPPING=1", "STATUS=…", "WATCHDOG=1"; lines joined by \n. */
void notify_supervisor(const char *state);
