/* SPDX-License-Identifier: MIT */
/* endpoint.c - see endpoint.h. */
#include "host/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static int bad(const char *text, hq_error *err)
{
    return hqi_base_error_set(err, HQ_EINVAL, "endpoint", "endpoint \"%s\": expected tcp://HOST:PORT", text);
}

static int parse_port(const char *p, uint16_t *port)
{
    uint32_t n = 0;
    if (!*p)
        return HQ_EINVAL;
    for (; *p; p++) {
        if (*p < '0' || *p > '9' || n > UINT16_MAX)
            return HQ_EINVAL;
        n = n * 10 + (uint32_t)(*p - '0');
    }
    if (n == 0 || n > UINT16_MAX)
        return HQ_EINVAL;
    *port = (uint16_t)n;
    return HQ_OK;
}

int hqi_host_endpoint_parse(const char *text, char host[HQI_HOST_BYTES], uint16_t *port, hq_error *err)
{
    const char scheme[] = "tcp://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0)
        return bad(text, err);
    const char *from = text + sizeof scheme - 1, *colon = strrchr(from, ':'), *end = colon;
    if (!colon || parse_port(colon + 1, port) < 0)
        return bad(text, err);
    if (*from == '[' && end[-1] == ']') {
        from++;
        end--;
    }
    if (end <= from || (size_t)(end - from) >= HQI_HOST_BYTES)
        return bad(text, err);
    memcpy(host, from, (size_t)(end - from));
    host[end - from] = '\0';
    return HQ_OK;
}

void hqi_host_endpoint_print(char *out, size_t room, const char *host, uint16_t port)
{
    const char *format = strchr(host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u";
    snprintf(out, room, format, host, port);
}
