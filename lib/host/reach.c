/* SPDX-License-Identifier: MIT */
/* reach.c - see reach.h. */
#include "host/reach.h"

#include <string.h>

#include "base/error.h"
#include "serverdir/dir.h"

int hqi_host_reach_load(struct access *ret, const char *server_dir, hq_error *err)
{
    struct dir_path dir, path;
    int r = server_dir ? HQ_OK : hqi_serverdir_dir_default(&dir, err);
    if (r >= 0)
        r = hqi_serverdir_dir_resolve(&path, server_dir ? server_dir : dir.text, err);
    if (r >= 0)
        r = hqi_serverdir_dir_join(&path, path.text, HQI_ACCESS_FILE, err);
    return r < 0 ? r : hqi_serverdir_access_load(ret, path.text, err);
}

static int from_directory(struct reach *ret, const char *server_dir, enum access_plane plane, hq_error *err)
{
    struct access a;
    int r = hqi_host_reach_load(&a, server_dir, err);
    if (r >= 0)
        r = hqi_serverdir_access_need(&a, plane, err);
    if (r < 0)
        return r;
    memcpy(ret->host, a.plane[plane].host, sizeof ret->host);
    memcpy(ret->secret, a.plane[plane].secret, sizeof ret->secret);
    ret->port = a.plane[plane].port;
    return HQ_OK;
}

int hqi_host_reach_find(struct reach *ret, const char *endpoint, const uint8_t *secret, const char *server_dir,
                        enum access_plane plane, hq_error *err)
{
    if (!endpoint)
        return from_directory(ret, server_dir, plane, err);
    if (!secret)
        return hqi_base_error_set(err, HQ_EINVAL, "endpoint", "endpoint %s is given without its secret", endpoint);
    memcpy(ret->secret, secret, sizeof ret->secret);
    return hqi_host_endpoint_parse(endpoint, ret->host, &ret->port, err);
}
