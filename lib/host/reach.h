/* SPDX-License-Identifier: MIT */
/* reach.h - where a server is and how to speak to it: from options, or from a server directory. */
#ifndef HQI_HOST_REACH_H
#define HQI_HOST_REACH_H

#include "host/endpoint.h"
#include "serverdir/access.h"

struct reach {
    char host[HQI_HOST_BYTES];
    uint16_t port;
    uint8_t secret[HQI_ACCESS_SECRET_BYTES];
};

/* What the access file of a server directory says; NULL: of the default one. HQ_ENOENT: no such directory; HQ_ESYS:
 * no access file there that can be read; HQ_EVERSION, HQ_EPROTO. Blocks on the file system. */
int hqi_host_reach_load(struct access *ret, const char *server_dir, hq_error *err);
/* `endpoint` with `secret`, or (endpoint NULL) as the directory says for this plane. */
int hqi_host_reach_find(struct reach *ret, const char *endpoint, const uint8_t *secret, const char *server_dir,
                        enum access_plane plane, hq_error *err);

#endif
