/* SPDX-License-Identifier: MIT */
/* noop_workers.c - workers whose tasks are no processes: what is left is the traffic of a server with its workers.
 *
 *     noop_workers SERVER_DIR WORKERS CPUS
 *
 * Each worker is the library's own session (lib/net/), messages (lib/wire/) and books (lib/tasks/); only the helper is
 * missing: whatever is launched has ended well at once. So a server cannot tell them from others: registration, hand-outs,
 * columns and acknowledgements are the same. All live in one thread, since they share a machine with the server that
 * they measure. Ends with the server; prints {"workers", "tasks", "frames", "cpu_us_per_task"}. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "host/ctx.h"
#include "host/reach.h"
#include "net/keys.h"
#include "net/link.h"
#include "tasks/tasks.h"
#include "wire/worker.h"

#define KEYS_STEP 1024u

struct noop_worker {
    struct bench *bench;          /* borrowed */
    struct worker_config *config; /* owned */
    struct tasks *tasks;          /* owned */
    struct link *link;            /* owned */
    bool over;
};

struct bench {
    hq_ctx *ctx;                /* owned */
    struct noop_worker *worker; /* owned */
    unsigned n_workers, n_over;
    struct arena in;            /* one frame, decoded */
    struct buf frame;           /* one frame in the making */
    uint64_t *keys;             /* owned: of what was launched just now */
    size_t n_keys, room;
    uint64_t n_tasks, n_frames;
};

static void check(int rc, const hq_error *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "noop_workers: %s\n", err->text);
    exit(1);
}

static void *check_memory(void *p)
{
    const hq_error err = {.text = "out of memory"};
    check(p ? 0 : HQ_ENOMEM, &err);
    return p;
}

static struct now now_of(const struct noop_worker *w)
{
    return hqi_loop_loop_now(w->bench->ctx->loop);
}

/* ---- tasks ---- */

static void note_launches(struct bench *b, const struct to_helper *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].kind != TO_HELPER_LAUNCH)
            continue;
        if (b->n_keys == b->room) {
            b->room += KEYS_STEP;
            b->keys = check_memory(realloc(b->keys, b->room * sizeof *b->keys));
        }
        b->keys[b->n_keys++] = items[i].u.launch.key;
    }
}

/* Runs whatever can run. */
static void run_tasks(struct noop_worker *w)
{
    struct bench *b = w->bench;
    const struct now now = now_of(w);
    const struct to_helper *items;
    hq_error err;
    for (uint32_t n; (n = hqi_tasks_take_helper(w->tasks, 0, &items)) > 0;) {
        b->n_keys = 0;
        note_launches(b, items, n);
        for (size_t i = 0; i < b->n_keys; i++) {
            const struct from_helper ended = {.kind = FROM_HELPER_ENDED, .u.ended = {.key = b->keys[i]}};
            check(hqi_tasks_on_helper(w->tasks, &now, 0, &ended, &err), &err);
        }
        b->n_tasks += b->n_keys;
    }
}

/* ---- the session ---- */

static void send_frame(struct noop_worker *w, const struct from_worker *m)
{
    struct bench *b = w->bench;
    hq_error err;
    hqi_base_buf_clear(&b->frame);
    hqi_wire_worker_encode_from(m, &b->frame);
    check_memory(b->frame.failed ? NULL : b);
    check(hqi_net_link_send(w->link, hqi_base_buf_bytes(&b->frame), &err), &err);
    b->n_frames++;
}

static void on_open(void *user, const struct welcome *welcome)
{
    struct noop_worker *w = user;
    const struct from_worker m = {.kind = FROM_WORKER_REGISTER, .u.hello = {.config = w->config}};
    if (!welcome->resumed)
        send_frame(w, &m);
}

static void on_item(struct noop_worker *w, const struct now *now, struct to_worker *item)
{
    hq_error err;
    if (item->kind == TO_WORKER_STOP)
        hqi_net_link_bye(w->link, HQ_OK, "");
    else
        check(hqi_tasks_on_server(w->tasks, now, item, &err), &err);
    w->over = item->kind == TO_WORKER_STOP;
    w->bench->n_over += w->over;
}

static void on_data(void *user, uint64_t number, struct bytes payload)
{
    struct noop_worker *w = user;
    const struct now now = now_of(w);
    struct to_worker_batch batch;
    hq_error err;
    hqi_base_arena_clear(&w->bench->in);
    check(hqi_wire_worker_decode_to(&batch, payload, &hqi_base_alloc_libc, &w->bench->in, &err), &err);
    for (uint32_t i = 0; i < batch.n && !w->over; i++)
        on_item(w, &now, (struct to_worker *)&batch.items[i]); /* taken specs are taken out of it */
    if (!w->over)
        hqi_net_link_safe(w->link, number);
}

static void on_drop(void *user)
{
}

static void on_end(void *user, int code, const char *text)
{
    fprintf(stderr, "noop_workers: %s\n", text);
    exit(1);
}

static void on_idle(void *user)
{
    struct noop_worker *w = user;
    const struct now now = now_of(w);
    struct from_worker m = {.kind = FROM_WORKER_REPORT};
    if (w->over)
        return;
    run_tasks(w);
    while (hqi_tasks_take_report(w->tasks, &now, &m.u.report))
        send_frame(w, &m);
}

static const struct link_ops ops = {on_open, on_data, on_drop, on_end, on_idle};

/* ---- making ---- */

static struct worker_config *make_config(uint32_t cpus)
{
    struct worker_config *c = check_memory(hqi_model_config_new(&hqi_base_alloc_libc));
    struct resource_def *d = check_memory(hqi_base_arena_zero(c->mem, 1, sizeof *d));
    *d = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .end = cpus - 1};
    c->hostname = bytes_of("noop");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->resources = (struct resources){d, 1};
    return c;
}

static void open_worker(struct noop_worker *w, const struct reach *reach, uint32_t cpus)
{
    struct link_options o = {
        .alloc = &hqi_base_alloc_libc,
        .log = &w->bench->ctx->log,
        .loop = w->bench->ctx->loop,
        .plane = "worker",
        .host = reach->host,
        .port = reach->port,
        .secret = reach->secret,
        .ops = &ops,
        .user = w,
    };
    hq_error err;
    w->config = make_config(cpus);
    const struct tasks_options t = {.alloc = &hqi_base_alloc_libc, .config = w->config, .n_helpers = 1};
    check(hqi_tasks_tasks_new(&w->tasks, &t, &err), &err);
    o.heartbeat_ms = (uint32_t)w->config->heartbeat_ms;
    hqi_net_keys_random(&o.uid, sizeof o.uid);
    check(hqi_host_ctx_zmq(w->bench->ctx, &o.zmq, &err), &err);
    check(hqi_net_link_new(&w->link, &o, &err), &err);
}

static void close_worker(struct noop_worker *w)
{
    hqi_net_link_free(w->link);
    hqi_tasks_tasks_free(w->tasks);
    hqi_model_config_free(w->config);
}

/* ---- the program ---- */

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void run(struct bench *b, const char *dir, uint32_t cpus)
{
    struct reach reach;
    hq_error err;
    check(hqi_host_reach_find(&reach, NULL, NULL, dir, ACCESS_WORKER, &err), &err);
    for (unsigned i = 0; i < b->n_workers; i++) {
        b->worker[i].bench = b;
        open_worker(&b->worker[i], &reach, cpus);
    }
    while (b->n_over < b->n_workers)
        check(hqi_host_ctx_turn(b->ctx, UINT64_MAX, &err), &err);
    for (unsigned i = 0; i < b->n_workers; i++)
        close_worker(&b->worker[i]);
}

int main(int argc, char **argv)
{
    struct bench b = {.n_workers = argc == 4 ? (unsigned)atoi(argv[2]) : 0};
    uint32_t cpus = argc == 4 ? (uint32_t)atoi(argv[3]) : 0;
    hq_error err;
    if (b.n_workers == 0 || cpus == 0) {
        fprintf(stderr, "usage: noop_workers SERVER_DIR WORKERS CPUS\n");
        return 2;
    }
    check(hq_ctx_new(&b.ctx, NULL, &err), &err);
    hqi_base_arena_init(&b.in, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b.frame, &hqi_base_alloc_libc);
    b.worker = check_memory(calloc(b.n_workers, sizeof *b.worker));
    run(&b, argv[1], cpus);
    printf("{\"workers\": %u, \"tasks\": %" PRIu64 ", \"frames\": %" PRIu64 ", \"cpu_us_per_task\": %.3f}\n", b.n_workers,
           b.n_tasks, b.n_frames, b.n_tasks ? cpu_us() / (double)b.n_tasks : 0.0);
    hqi_base_buf_fini(&b.frame);
    hqi_base_arena_fini(&b.in);
    free(b.keys);
    free(b.worker);
    hq_ctx_free(b.ctx);
    return 0;
}
