/* SPDX-License-Identifier: MIT */
/* endpoint.h - "tcp://host:port", as the public headers write where a server is. */
#ifndef HQI_HOST_ENDPOINT_H
#define HQI_HOST_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "hqcore/error.h"

#define HQI_HOST_BYTES 256u

/* IPv6 addresses in brackets, which `host` then lacks. HQ_EINVAL. */
int hqi_host_endpoint_parse(const char *text, char host[HQI_HOST_BYTES], uint16_t *port, hq_error *err);
void hqi_host_endpoint_print(char *out, size_t room, const char *host, uint16_t port);

#endif
