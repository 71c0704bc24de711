/* SPDX-License-Identifier: MIT */
/* open.c - from options to a server that listens: the access record, the core, the two planes, the server directory.
 *
 * Nothing is published before both planes listen, and nothing is bound while another server of that directory lives. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host/endpoint.h"
#include "host/reach.h"
#include "host/uid.h"
#include "host/version.h"
#include "net/keys.h"
#include "server/server.h"

static const char where[] = "server";

#define HEARTBEAT_MS 8000u
#define STALLED_MS 300000u      /* HQ_DISPATCH_GAP_S */
#define SILENT_LOST_MS 3600000u
#define WORKER_QUEUE (8u << 20)  /* work that a worker has not taken; beyond it gets no more */
#define LOCAL_ADDRESS "127.0.0.1"

/* A worker whose connection was dropped tries again after 0.1 s, then 0.2 and 0.4: one that is not back in a second has ended,
 * and its tasks wait to be run again. Nobody waits for a client. */
static const uint32_t resume_ms[PLANES] = {[HQ_PLANE_CLIENT] = 5000, [HQ_PLANE_WORKER] = 1000};

static const char *const plane_names[PLANES] = {[HQ_PLANE_CLIENT] = "client", [HQ_PLANE_WORKER] = "worker"};

/* ---- the access record ---- */

static bool is_any(const char *bind)
{
    return strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0 || strcmp(bind, "[::]") == 0;
}

static const char *bind_of(const hq_server_options *o)
{
    return o->bind ? o->bind : LOCAL_ADDRESS;
}

static int fill_host(struct access_end *p, const char *given, const char *bind, hq_error *err)
{
    if (!given && p->host[0])
        return HQ_OK;
    if (!given && is_any(bind)) {
        if (gethostname(p->host, sizeof p->host - 1) < 0)
            return hqi_base_error_sys(err, errno, where, "this host has no name");
        return HQ_OK;
    }
    const char *host = given ? given : bind;
    if (strlen(host) >= sizeof p->host)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a host name of %zu bytes: at most %zu", strlen(host),
                                  sizeof p->host - 1);
    snprintf(p->host, sizeof p->host, "%s", host);
    return HQ_OK;
}

static int fill_plane(struct access_end *p, const hq_server_options *o, int plane, bool from_file, hq_error *err)
{
    int r = fill_host(p, o->host[plane], bind_of(o), err);
    if (r < 0)
        return r;
    if (o->port[plane])
        p->port = o->port[plane];
    if (o->secret[plane])
        memcpy(p->secret, o->secret[plane], sizeof p->secret);
    else if (!from_file && hqi_net_keys_random(p->secret, sizeof p->secret) < 0)
        return hqi_base_error_sys(err, errno, where, "no random numbers can be had");
    p->given = true;
    return HQ_OK;
}

int hqi_server_open_access(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    int r = HQ_OK;
    if (o->access_file)
        r = hqi_serverdir_access_load(&s->access, o->access_file, err);
    for (int i = 0; r >= 0 && o->access_file && i < (int)PLANES; i++)
        r = hqi_serverdir_access_need(&s->access, (enum access_plane)i, err);
    for (int i = 0; r >= 0 && i < (int)PLANES; i++)
        r = fill_plane(&s->access.plane[i], o, i, o->access_file, err);
    if (r >= 0 && s->access.server_uid[0] == '\0')
        r = hqi_host_uid_make(s->access.server_uid, err);
    return r;
}

/* ---- listening ---- */

static int make_core(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    struct now now = hqi_loop_loop_refresh(s->loop);
    s->journal_path = o->journal ? hqi_base_alloc_strdup(s->alloc, o->journal, strlen(o->journal)) : NULL;
    if (o->journal && !s->journal_path)
        return hqi_base_error_nomem(err, where);
    const struct core_options co = {
        .alloc = s->alloc,
        .log = s->log,
        .worker_idle_timeout_ms = o->worker_idle_timeout_ms,
        .on_facts = hqi_server_durable_on_facts,
        .user = s,
        .info =
            {
                .version = bytes_of(hqi_host_version_text()),
                .client_host = bytes_of(s->access.plane[HQ_PLANE_CLIENT].host),
                .worker_host = bytes_of(s->access.plane[HQ_PLANE_WORKER].host),
                .pid = (uint32_t)getpid(),
                .journal_path = bytes_of(s->journal_path ? s->journal_path : ""),
            },
    };
    s->idle_timeout_ms = o->worker_idle_timeout_ms;
    s->start_ms = now.utc_ms;
    int r = hqi_core_core_new(&s->core, &co, err);
    if (r >= 0)
        r = hqi_server_durable_open(s, o, err);
    if (r >= 0)
        r = hqi_core_core_start(s->core, &now, bytes_of(s->access.server_uid), err);
    if (r >= 0)
        snprintf(s->access.server_uid, sizeof s->access.server_uid, "%s", hqi_core_core_state(s->core)->uid);
    if (r >= 0 && !s->journal)
        r = hqi_server_live_open(s, err);
    return r < 0 ? r : hqi_server_durable_settle(s, err);
}

/* What peers of the server before know of it stays true where it can: its secrets, and its ports if they are free. */
static void inherit(struct hq_server *s, const hq_server_options *o, const struct access *before)
{
    if (!s->restored || o->access_file || strcmp(before->server_uid, s->access.server_uid) != 0)
        return;
    for (unsigned i = 0; i < PLANES; i++) {
        if (!before->plane[i].given)
            continue;
        if (!o->secret[i])
            memcpy(s->access.plane[i].secret, before->plane[i].secret, sizeof s->access.plane[i].secret);
        s->old_port[i] = o->port[i] ? 0 : before->plane[i].port;
    }
}

static int open_plane(struct hq_server *s, const hq_server_options *o, int plane, void *zmq, hq_error *err)
{
    struct access_end *at = &s->access.plane[plane];
    struct router_options ro = {
        .alloc = s->alloc,
        .log = s->log,
        .loop = s->loop,
        .zmq = zmq,
        .plane = plane_names[plane],
        .bind = bind_of(o),
        .port = at->port,
        .secret = at->secret,
        .server_uid = bytes_of(s->access.server_uid),
        .server_epoch = hqi_core_core_state(s->core)->epoch,
        .durable = s->journal,
        .heartbeat_ms = HEARTBEAT_MS,
        .resume_ms = resume_ms[plane],
        .stalled_ms = STALLED_MS,
        .silent_lost_ms = SILENT_LOST_MS,
        .queue_bytes = plane == HQ_PLANE_CLIENT ? HQI_SERVER_CLIENT_QUEUE : WORKER_QUEUE,
        .ops = plane == HQ_PLANE_CLIENT ? &hqi_server_clients_ops : &hqi_server_workers_ops,
        .user = s,
    };
    int r = -1;
    if (s->old_port[plane]) {
        ro.port = s->old_port[plane];
        r = hqi_net_router_new(&s->router[plane], &ro, NULL);
        ro.port = at->port;
    }
    if (r < 0)
        r = hqi_net_router_new(&s->router[plane], &ro, err);
    if (r < 0)
        return r;
    at->port = hqi_net_router_port(s->router[plane]);
    hqi_host_endpoint_print(s->endpoint[plane], sizeof s->endpoint[plane], at->host, at->port);
    return HQ_OK;
}

static int check_directory(struct hq_server *s, const char *dir, void *zmq, struct access *there, hq_error *err)
{
    if (hqi_host_reach_load(there, dir, NULL) < 0 || !there->plane[HQ_PLANE_CLIENT].given)
        return HQ_OK;
    if (!hqi_server_probe_is_alive(s, zmq, &there->plane[HQ_PLANE_CLIENT]))
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EEXIST, where,
                              "Server at %s is already online, please stop it first using `hq server stop --server-dir %s`",
                              dir, dir);
}

static int open_planes(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    struct access before = {.server_uid = ""};
    void *zmq;
    int r = hqi_host_ctx_zmq(s->handle.ctx, &zmq, err);
    if (r >= 0 && o->server_dir)
        r = check_directory(s, o->server_dir, zmq, &before, err);
    if (r >= 0)
        r = make_core(s, o, err);
    if (r >= 0)
        inherit(s, o, &before);
    for (int i = 0; r >= 0 && i < (int)PLANES; i++)
        r = open_plane(s, o, i, zmq, err);
    if (r >= 0)
        hqi_core_core_set_ports(s->core, s->access.plane[HQ_PLANE_CLIENT].port, s->access.plane[HQ_PLANE_WORKER].port);
    return r;
}

/* ---- the directory ---- */

static int publish(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    struct dir_path file;
    if (!o->server_dir)
        return HQ_OK;
    struct published *p = hqi_base_alloc_zero(s->alloc, 1, sizeof *p);
    if (!p)
        return hqi_base_error_nomem(err, where);
    s->published = p;
    int r = hqi_serverdir_dir_create(&p->instance, o->server_dir, err);
    if (r >= 0)
        r = hqi_serverdir_dir_join(&file, p->instance.text, HQI_ACCESS_FILE, err);
    if (r < 0)
        return r;
    r = hqi_serverdir_access_store(&s->access, file.text, s->alloc, err);
    if (r >= 0)
        r = hqi_serverdir_dir_publish(o->server_dir, p->instance.text, err);
    if (r >= 0)
        snprintf(p->dir.text, sizeof p->dir.text, "%s", o->server_dir);
    return r;
}

int hqi_server_open_all(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    int lock = -1;
    int r = o->server_dir ? hqi_serverdir_dir_lock(&lock, o->server_dir, err) : HQ_OK;
    if (r >= 0)
        r = open_planes(s, o, err);
    if (r >= 0)
        r = publish(s, o, err);
    if (lock >= 0)
        close(lock);
    return r;
}

void hqi_server_open_unpublish(struct hq_server *s)
{
    if (!s->published || s->published->dir.text[0] == '\0')
        return;
    hqi_serverdir_dir_retract(s->published->dir.text, s->published->instance.text);
    s->published->dir.text[0] = '\0';
}
