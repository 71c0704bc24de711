/* SPDX-License-Identifier: MIT */
/* rig.h - a server, a worker and a client on one ctx, in a directory of their own: what the tests of this directory
 * begin with. */
#ifndef TESTS_EMBED_RIG_H
#define TESTS_EMBED_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <unistd.h>

#include <cmocka.h>

#include "hqcore/tools.h"

#define LONG_MS 30000 /* nothing here takes that long; it only ends a test that hangs */

struct rig {
    hq_ctx *ctx;
    hq_server *server;
    hq_worker *worker;
    hq_client *client;
    char dir[64];
};

/* A call whose last argument is RIG_ERR must succeed. */
#define must(call)                                                    \
    do {                                                              \
        hq_error rig_err = {0};                                       \
        int rig_code = (call);                                        \
        if (rig_code < 0)                                             \
            fail_msg("%s: %d: %s", #call, rig_code, rig_err.text);    \
    } while (0)
#define RIG_ERR (&rig_err)

static inline void rig_worker(struct rig *r, const char *cpus)
{
    char work[96];
    hq_worker_options o = {.size = sizeof o, .cpus = cpus, .detect = HQ_DETECT_CPUS};
    snprintf(work, sizeof work, "%s/work", r->dir);
    o.work_dir = work;
    o.manager = HQ_MANAGER_NONE;
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_WORKER);
    o.secret = hq_server_secret(r->server, HQ_PLANE_WORKER);
    must(hq_worker_new(&r->worker, r->ctx, &o, RIG_ERR));
}

static inline void rig_client(struct rig *r)
{
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(r->server, HQ_PLANE_CLIENT);
    must(hq_client_new(&r->client, r->ctx, &o, RIG_ERR));
}

static inline void rig_open(struct rig *r)
{
    *r = (struct rig){.dir = "/tmp/hq-embed-XXXXXX"};
    assert_non_null(mkdtemp(r->dir));
    must(hq_ctx_new(&r->ctx, NULL, RIG_ERR));
    must(hq_server_new(&r->server, r->ctx, NULL, RIG_ERR));
    rig_client(r);
}

static inline void rig_free(struct rig *r) /* everything but the directory */
{
    hq_ctx_free(r->ctx);
    r->ctx = NULL;
}

static inline void rig_close(struct rig *r)
{
    char command[128];
    rig_free(r);
    snprintf(command, sizeof command, "rm -rf %s", r->dir);
    assert_int_equal(system(command), 0);
}

static inline hq_submit *rig_submit(struct rig *r, const char *ids, const char *const *argv)
{
    hq_submit *s = hq_submit_new(r->ctx);
    assert_non_null(s);
    hq_submit_set_command(s, argv);
    hq_submit_set_cwd(s, r->dir);
    if (ids)
        hq_submit_set_array(s, ids);
    return s;
}

static inline hq_job_status rig_status(struct rig *r, hq_job_id job)
{
    hq_job_status status = {.size = sizeof status};
    must(hq_job_progress(r->client, job, &status, RIG_ERR));
    return status;
}

static inline int rig_count(const char *path) /* entries of a directory */
{
    DIR *d = opendir(path);
    int n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static inline int rig_count_fds(void)
{
    return rig_count("/proc/self/fd");
}

static inline int rig_count_threads(void)
{
    return rig_count("/proc/self/task");
}

static inline void rig_run(struct rig *r, const char *ids, const char *const *argv, uint64_t finished)
{
    hq_job_id job;
    hq_submit *s = rig_submit(r, ids, argv);
    must(hq_submit_array(r->client, NULL, argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    must(hq_job_wait(r->client, job, LONG_MS, RIG_ERR));
    assert_int_equal(rig_status(r, job).finished, finished);
}

#endif
