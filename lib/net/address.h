/* SPDX-License-Identifier: MIT */
/* net/address.h - from a host's name to the numeric addresses that libzmq is given, best first.
 *
 * libzmq never sees a name: it would resolve it in its I/O thread, and closing waits for that. */
#ifndef HQI_NET_ADDRESS_H
#define HQI_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "hqcore/error.h"

#define HQI_NET_ADDRESSES 8u

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t n;
};

struct addresses {
    struct address list[HQI_NET_ADDRESSES];
    unsigned n; /* at least 1 */
};

/* IPv4 first; this host's own name ends with the loopback. Blocks on the resolver, unless `host` is numeric.
 * HQ_ESYS with the resolver's text, HQ_EINVAL. */
int hqi_net_address_resolve(struct addresses *ret, const char *host, uint16_t port, hq_error *err);
/* "tcp://127.0.0.1:40123" */
void hqi_net_address_endpoint(const struct address *a, char *out, unsigned size);
/* libzmq does not say why a connect failed, so this asks again: the errno of a connect to `a`, or 0 with *fd
 * (owned by the caller) still connecting: an error will make it readable, then hqi_net_address_verdict tells. *fd is -1
 * when there is nothing to wait for. Never blocks. */
int hqi_net_address_probe(const struct address *a, int *fd);
int hqi_net_address_verdict(int fd); /* errno; 0: it is connected, or not decided */

#endif
