/* SPDX-License-Identifier: MIT */
/* access.c - server directories and access files, as hqcore/tools.h shows them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "host/ctx.h"
#include "host/reach.h"
#include "host/uid.h"
#include "hqcore/tools.h"
#include "net/keys.h"
#include "serverdir/dir.h"

static const char where[] = "serverdir";

int hq_tools_server_dir(char *out, size_t room)
{
    struct dir_path dir;
    int r = hqi_serverdir_dir_default(&dir, NULL);
    if (r < 0)
        return r;
    size_t n = strlen(dir.text);
    if (!out || n >= room)
        return HQ_ELIMIT;
    memcpy(out, dir.text, n + 1);
    return (int)n;
}

/* ---- reading ---- */

static int resolve(char *out, size_t room, const char *server_dir, hq_error *err)
{
    struct dir_path dir, path;
    int r = server_dir ? HQ_OK : hqi_serverdir_dir_default(&dir, err);
    if (r >= 0)
        r = hqi_serverdir_dir_resolve(&path, server_dir ? server_dir : dir.text, err);
    if (r >= 0)
        snprintf(out, room, "%s", path.text);
    return r;
}

static void copy_end(char *host, size_t room, uint16_t *port, const struct access_end *end)
{
    if (!end->given)
        return;
    snprintf(host, room, "%s", end->host);
    *port = end->port;
}

int hq_tools_access_read(const char *server_dir, hq_access_info *ret, hq_error *err)
{
    hq_access_info info = {0};
    struct access a;
    if (!ret || ret->size < offsetof(hq_access_info, client_host))
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_access_info.size is not set");
    int r = resolve(info.dir, sizeof info.dir, server_dir, err);
    if (r >= 0)
        r = hqi_host_reach_load(&a, server_dir, err);
    if (r < 0)
        return r;
    info.size = ret->size;
    snprintf(info.server_uid, sizeof info.server_uid, "%s", a.server_uid);
    copy_end(info.client_host, sizeof info.client_host, &info.client_port, &a.plane[ACCESS_CLIENT]);
    copy_end(info.worker_host, sizeof info.worker_host, &info.worker_port, &a.plane[ACCESS_WORKER]);
    memcpy(ret, &info, ret->size < sizeof info ? ret->size : sizeof info);
    return HQ_OK;
}

/* ---- making ---- */

static int fill_end(struct access_end *end, const char *host, uint16_t port, hq_error *err)
{
    if (!host || !*host || strlen(host) >= sizeof end->host || port == 0)
        return hqi_base_error_set(err, HQ_EINVAL, where, "host \"%s\" with port %u: expected a name of at most %zu bytes and a port",
                                  host ? host : "", port, sizeof end->host - 1);
    end->given = true;
    end->port = port;
    snprintf(end->host, sizeof end->host, "%s", host);
    if (hqi_net_keys_random(end->secret, sizeof end->secret) < 0)
        return hqi_base_error_sys(err, errno, where, "no random numbers can be had");
    return HQ_OK;
}

/* One half of the record; NULL path: not wanted. */
static int store_half(const struct access *full, enum access_plane plane, const char *path, hq_error *err)
{
    struct access half = {0};
    half.plane[plane] = full->plane[plane];
    return path ? hqi_serverdir_access_store(&half, path, &hqi_base_alloc_libc, err) : HQ_OK;
}

int hq_tools_access_generate(const hq_access_options *opt, hq_error *err)
{
    hq_access_options o;
    struct access full = {0};
    int r = hqi_host_ctx_options(&o, sizeof o, opt, "hq_access_options", err);
    if (r >= 0 && !o.path)
        r = hqi_base_error_set(err, HQ_EINVAL, where, "hq_access_options.path is not set");
    if (r >= 0)
        r = fill_end(&full.plane[ACCESS_CLIENT], o.client_host, o.client_port, err);
    if (r >= 0)
        r = fill_end(&full.plane[ACCESS_WORKER], o.worker_host, o.worker_port, err);
    if (r >= 0)
        r = hqi_host_uid_make(full.server_uid, err);
    if (r >= 0)
        r = hqi_serverdir_access_store(&full, o.path, &hqi_base_alloc_libc, err);
    if (r >= 0)
        r = store_half(&full, ACCESS_CLIENT, o.client_path, err);
    if (r >= 0)
        r = store_half(&full, ACCESS_WORKER, o.worker_path, err);
    return r;
}
