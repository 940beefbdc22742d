/* tests/support/tcp_proxy.h: a TCP proxy on loopback that injects faults: refuses, answers in the
 * server's place, cuts after so many bytes. A thread of its own. */
#pragma once
#include <stdint.h>

struct tcp_proxy;

/* To 127.0.0.1:target; *port is where it listens. */
struct tcp_proxy *tcp_proxy_start(int target, int *port);
void tcp_proxy_stop(struct tcp_proxy *proxy);

/* The next `count` connections get this text as soon as they have said something, and are closed.
 */
void tcp_proxy_answer(struct tcp_proxy *proxy, int count, const char *text);
/* Once `bytes` more have gone to the server, every connection is cut and new ones are refused,
 * until it is called again; < 0 = never. */
void tcp_proxy_cut_after(struct tcp_proxy *proxy, int64_t bytes);
/* Cuts every connection that there is, and takes new ones when all are. */
void tcp_proxy_cut_all(struct tcp_proxy *proxy);
/* Once `bytes` more have gone to a client, its connection is dropped; once. */
void tcp_proxy_drop_after(struct tcp_proxy *proxy, int64_t bytes);
/* What has gone to the server, to the client; connections taken. */
int64_t tcp_proxy_sent(const struct tcp_proxy *proxy);
int tcp_proxy_connections(const struct tcp_proxy *proxy);
