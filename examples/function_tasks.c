/* SPDX-License-Identifier: MIT */
/* function_tasks.c - tasks that are functions of this program: server, worker and client in one process, and a solver that runs
 * what the worker hands it, one after the other or with OpenMP. Tells how many it did per second.
 *
 *     cc -O2 -fopenmp function_tasks.c $(pkg-config --cflags --libs libhqcore) && ./a.out 1000000 && ./a.out 100000 1000
 *
 * Arguments: the number of tasks, and how much each computes (0: nothing). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hqcore.h"

enum tag { SUBMITTED = 1, ENDED };

struct host {
    hq_ctx *ctx;
    hq_server *server;
    hq_worker *worker;
    hq_client *client;
    double *values; /* by task */
    long work;
};

static double compute(unsigned task, long work)
{
    double x = task;
    for (long i = 0; i < work; i++)
        x = x * 0.5 + 1;
    return x;
}

/* The batch may be read by any thread; it is answered by the one that has the context. */
static int run_batch(struct host *h, const hq_batch *b, hq_error *err)
{
    long n = (long)b->count;
#pragma omp parallel for schedule(static) if (h->work > 0)
    for (long i = 0; i < n; i++)
        h->values[b->index[i]] = compute(b->index[i], h->work);
    return hq_worker_answer(h->worker, b, NULL, err);
}

static int start(struct host *h, hq_error *err)
{
    static const char *const functions[] = {"compute", NULL};
    hq_worker_options worker = {.size = sizeof worker, .functions = functions};
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

static int submit(struct host *h, unsigned n, hq_error *err)
{
    const hq_range ids = {0, n, 1};
    hq_submit *s = hq_submit_new(h->ctx);
    hq_submit_set_function(s, "compute");
    hq_submit_set_ranges(s, &ids, 1);
    int r = hq_client_submit(h->client, s, SUBMITTED, err);
    hq_submit_free(s);
    return r;
}

/* 1: the job has ended. */
static int on_event(struct host *h, const hq_event *e, hq_error *err)
{
    if (e->type == HQ_EVENT_BATCH)
        return run_batch(h, e->u.batch, err);
    if (e->type != HQ_EVENT_REPLY)
        return 0;
    if (e->code < 0) {
        fprintf(stderr, "%s\n", e->text);
        return 1;
    }
    return e->tag == ENDED ? 1 : hq_client_wait(h->client, e->u.reply.job, ENDED, err);
}

static int loop(struct host *h, hq_error *err)
{
    const hq_event *e;
    int r = 0;
    while (r == 0) {
        if (hq_ctx_run(h->ctx, -1, err) < 0)
            return -1;
        while (r == 0 && hq_ctx_next(h->ctx, &e) > 0)
            r = on_event(h, e, err);
    }
    return r;
}

int main(int argc, char **argv)
{
    struct host h = {0};
    hq_error err;
    struct timespec from, to;
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    h.work = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    h.values = calloc(n ? n : 1, sizeof *h.values);
    int r = h.values ? start(&h, &err) : -1;
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (r >= 0)
        r = submit(&h, n, &err);
    if (r >= 0)
        r = loop(&h, &err);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    if (r < 0)
        fprintf(stderr, "%s\n", err.text);
    else
        printf("%u tasks in %.3f s: %.0f tasks/s\n", n, seconds, n / seconds);
    hq_ctx_free(h.ctx);
    free(h.values);
    return r < 0;
}
