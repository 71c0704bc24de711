/* SPDX-License-Identifier: MIT */
/* embed_bench.c - what a host pays that has server, worker and client on one context, in one thread of its own.
 *
 *     embed_bench tasks N     N empty function tasks: seconds of the process's processor time, and of the clock
 *     embed_bench events N    N times one function task: from its answer until the client has the event that its job has finished
 *     embed_bench idle S      S seconds without work: how often a thread of the process went to sleep
 *
 * Prints one JSON object. */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hqcore.h"

#define QUIET_MS 2000  /* what follows from the last task is over then */
#define MOST 100000000 /* of N; keeps what is allocated small */

enum tag { SUBMITTED = 1, ENDED };

struct host {
    hq_ctx *ctx;
    hq_server *server;
    hq_worker *worker;
    hq_client *client;
    hq_error err;
};

struct round {             /* of `events` */
    const hq_batch *batch; /* the task, not answered yet */
    bool followed;           /* the client has heard of the job, and has asked for more */
    bool finished;
};

static void must(int r, const struct host *h)
{
    if (r >= 0)
        return;
    fprintf(stderr, "embed_bench: %s\n", h->err.text);
    exit(1);
}

static void *must_have(void *p)
{
    if (!p) {
        perror("embed_bench");
        exit(1);
    }
    return p;
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the host ---- */

static void start(struct host *h)
{
    static const char *const functions[] = {"nothing", NULL};
    hq_worker_options worker = {.size = sizeof worker, .functions = functions};
    hq_client_options client = {.size = sizeof client};
    must(hq_ctx_new(&h->ctx, NULL, &h->err), h);
    must(hq_server_new(&h->server, h->ctx, NULL, &h->err), h);
    worker.endpoint = hq_server_endpoint(h->server, HQ_PLANE_WORKER);
    worker.secret = hq_server_secret(h->server, HQ_PLANE_WORKER);
    client.endpoint = hq_server_endpoint(h->server, HQ_PLANE_CLIENT);
    client.secret = hq_server_secret(h->server, HQ_PLANE_CLIENT);
    must(hq_worker_new(&h->worker, h->ctx, &worker, &h->err), h);
    must(hq_client_new(&h->client, h->ctx, &client, &h->err), h);
}

static void submit(struct host *h, uint32_t n, bool events)
{
    const hq_range ids = {0, n, 1};
    hq_submit *s = hq_submit_new(h->ctx);
    hq_submit_set_function(s, "nothing");
    hq_submit_set_ranges(s, &ids, 1);
    hq_submit_set_events(s, events);
    must(hq_client_submit(h->client, s, SUBMITTED, &h->err), h);
    hq_submit_free(s);
}

/* The next event, after as much dispatching as it takes. */
static const hq_event *next(struct host *h)
{
    const hq_event *e;
    while (hq_ctx_next(h->ctx, &e) == 0)
        must(hq_ctx_run(h->ctx, -1, &h->err), h);
    if (e->code < 0) {
        fprintf(stderr, "embed_bench: %s\n", e->text);
        exit(1);
    }
    return e;
}

static void run_all(struct host *h, uint32_t n)
{
    submit(h, n, false);
    for (const hq_event *e; (e = next(h))->type != HQ_EVENT_REPLY || e->tag != ENDED;) {
        if (e->type == HQ_EVENT_BATCH)
            must(hq_worker_answer(h->worker, e->u.batch, NULL, &h->err), h);
        else if (e->type == HQ_EVENT_REPLY)
            must(hq_client_wait(h->client, e->u.reply.job, ENDED, &h->err), h);
    }
}

/* ---- what is measured ---- */

static void measure_tasks(struct host *h, uint32_t n)
{
    uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
    run_all(h, n);
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"tasks\": %" PRIu32 ", \"cpu_s\": %.6f, \"wall_s\": %.6f}\n", n, (double)cpu / 1e9, (double)wall / 1e9);
}

static void on_event(struct round *r, const hq_event *e)
{
    if (e->type == HQ_EVENT_BATCH)
        r->batch = e->u.batch;
    if (e->type != HQ_EVENT_TASKS)
        return;
    r->followed = true;
    r->finished = e->u.tasks.state == HQ_TASK_FINISHED;
}

/* The task is answered when the client follows its job, so that the time is that of the event alone. */
static uint64_t time_event(struct host *h)
{
    struct round r = {0};
    submit(h, 1, true);
    while (!r.batch || !r.followed)
        on_event(&r, next(h));
    uint64_t from = now_ns(CLOCK_MONOTONIC);
    must(hq_worker_answer(h->worker, r.batch, NULL, &h->err), h);
    while (!r.finished)
        on_event(&r, next(h));
    return now_ns(CLOCK_MONOTONIC) - from;
}

static int by_size(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static void measure_events(struct host *h, uint32_t n)
{
    uint64_t *ns = must_have(calloc(n, sizeof *ns));
    for (uint32_t i = 0; i < n; i++)
        ns[i] = time_event(h);
    qsort(ns, n, sizeof *ns, by_size);
    printf("{\"events\": %" PRIu32 ", \"p50_us\": %.1f, \"p99_us\": %.1f}\n", n, (double)ns[n / 2] / 1000,
           (double)ns[n - 1 - n / 100] / 1000);
    free(ns);
}

static uint64_t switches_of(const char *thread)
{
    char path[300], line[200];
    unsigned long long n = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *f = must_have(fopen(path, "re"));
    while (!found && fgets(line, sizeof line, f))
        found = sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1;
    fclose(f);
    if (!found) {
        fprintf(stderr, "embed_bench: %s has no voluntary_ctxt_switches\n", path);
        exit(1);
    }
    return n;
}

static uint64_t switches_of_all(void)
{
    uint64_t n = 0;
    DIR *d = must_have(opendir("/proc/self/task"));
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] == '.' ? 0 : switches_of(e->d_name);
    closedir(d);
    return n;
}

static uint64_t switches_of_host(void)
{
    char thread[20];
    snprintf(thread, sizeof thread, "%ld", (long)getpid()); /* the main thread has the number of the process */
    return switches_of(thread);
}

/* The host has nothing to do but to dispatch. */
static void sleep_for(struct host *h, uint64_t ms)
{
    uint64_t now = now_ns(CLOCK_MONOTONIC), end = now + ms * 1000000;
    for (const hq_event *e; now < end; now = now_ns(CLOCK_MONOTONIC)) {
        int r = hq_ctx_run(h->ctx, (int)((end - now) / 1000000 + 1), &h->err);
        must(r == HQ_ETIMEDOUT ? HQ_OK : r, h);
        while (hq_ctx_next(h->ctx, &e) > 0)
            ;
    }
}

static void measure_idle(struct host *h, uint32_t seconds)
{
    sleep_for(h, QUIET_MS);
    uint64_t all = switches_of_all(), host = switches_of_host();
    sleep_for(h, (uint64_t)seconds * 1000);
    all = switches_of_all() - all;
    host = switches_of_host() - host;
    printf("{\"seconds\": %" PRIu32 ", \"switches\": %" PRIu64 ", \"of_host\": %" PRIu64 "}\n", seconds, all, host);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(struct host *h, uint32_t n);
    } parts[] = {{"tasks", measure_tasks}, {"events", measure_events}, {"idle", measure_idle}};
    struct host h = {0};
    long n = argc == 3 ? atol(argv[2]) : 0;
    for (size_t i = 0; n > 0 && n <= MOST && i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(argv[1], parts[i].name) != 0)
            continue;
        start(&h);
        run_all(&h, 1); /* all that is made once is there */
        parts[i].measure(&h, (uint32_t)n);
        hq_ctx_free(h.ctx);
        return 0;
    }
    fprintf(stderr, "usage: embed_bench tasks|events|idle N, N from 1 to %d\n", MOST);
    return 2;
}
