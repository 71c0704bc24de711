/* SPDX-License-Identifier: MIT */
/* in_process.c - the evented way: a server, a worker and a client in this program, on one context and in one thread. The
 * host's own loop polls one descriptor; here that is all the loop there is.
 *
 *     cc in_process.c $(pkg-config --cflags --libs libhqcore) && ./a.out */
#include <poll.h>
#include <stdio.h>

#include "hqcore.h"

enum tag { SUBMITTED = 1, ENDED };

struct host {
    hq_ctx *ctx;
    hq_server *server;
    hq_worker *worker;
    hq_client *client;
};

static int start(struct host *h, hq_error *err)
{
    hq_worker_options worker = {.size = sizeof worker};
    hq_client_options client = {.size = sizeof client};
    if (hq_ctx_new(&h->ctx, NULL, err) < 0 || hq_server_new(&h->server, h->ctx, NULL, err) < 0)
        return -1;
    worker.endpoint = hq_server_endpoint(h->server, HQ_PLANE_WORKER);
    worker.secret = hq_server_secret(h->server, HQ_PLANE_WORKER);
    client.endpoint = hq_server_endpoint(h->server, HQ_PLANE_CLIENT);
    client.secret = hq_server_secret(h->server, HQ_PLANE_CLIENT);
    if (hq_worker_new(&h->worker, h->ctx, &worker, err) < 0)
        return -1;
    return hq_client_new(&h->client, h->ctx, &client, err);
}

static int submit(struct host *h, hq_error *err)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo task $HQ_TASK_ID", NULL};
    hq_submit *s = hq_submit_new(h->ctx);
    hq_submit_set_command(s, argv);
    hq_submit_set_array(s, "1-10");
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    int r = hq_client_submit(h->client, s, SUBMITTED, err);
    hq_submit_free(s);
    return r;
}

/* 1: all is done. */
static int on_event(struct host *h, const hq_event *e, hq_error *err)
{
    if (e->type == HQ_EVENT_WORKER)
        printf("worker %u\n", e->u.worker.id.n);
    if (e->type != HQ_EVENT_REPLY)
        return 0;
    if (e->code < 0) {
        printf("failed: %s\n", e->text);
        return 1;
    }
    if (e->tag == SUBMITTED) {
        printf("job %u\n", e->u.reply.job.n);
        return hq_client_wait(h->client, e->u.reply.job, ENDED, err);
    }
    printf("the job has ended\n");
    return 1;
}

static int loop(struct host *h, hq_error *err)
{
    struct pollfd p = {.fd = hq_ctx_fd(h->ctx), .events = POLLIN};
    const hq_event *e;
    int r = 0;
    while (r == 0) {
        poll(&p, 1, -1); /* the host's other descriptors would be in here, too */
        if (hq_ctx_dispatch(h->ctx, err) < 0)
            return -1;
        while (r == 0 && hq_ctx_next(h->ctx, &e) > 0)
            r = on_event(h, e, err);
    }
    return r;
}

int main(void)
{
    struct host h = {0};
    hq_error err;
    int r = start(&h, &err);
    if (r >= 0)
        r = submit(&h, &err);
    if (r >= 0)
        r = loop(&h, &err);
    if (r < 0)
        fprintf(stderr, "%s\n", err.text);
    hq_ctx_free(h.ctx); /* and all that lives on it */
    return r < 0;
}
