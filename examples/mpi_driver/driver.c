/* SPDX-License-Identifier: MIT */
/* driver.c - an MPI solver that runs ensembles beside itself: rank 0 holds the server and the client, one rank of each node a
 * worker, and all ranks compute. Every few steps the driver submits a generation of tasks about the state that the
 * solver is in, reads the results of earlier ones as they come, and steers: newer generations come first, old ones that are not
 * done are cancelled. Nothing here blocks longer than one dispatch; when the solver has done its steps, it waits for the rest.
 *
 *     mpicc -O2 driver.c $(pkg-config --cflags --libs libhqcore) -o driver
 *     mpirun ./driver 2000 ./task.sh        # steps, the program of the tasks
 *
 * A task finds the generation in GENERATION and its member in HQ_TASK_ID, and writes its result to HQ_RESULT_FILENAME. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hqcore.h>
#include <mpi.h>

#define CELLS 20000      /* of each rank */
#define EVERY 200        /* steps between generations */
#define MEMBERS 8        /* tasks of a generation */
#define KEPT 3           /* generations that may be open; the oldest beyond is cancelled */
#define GENERATIONS 1024
#define ENDPOINT 256

enum tag_kind { SUBMITTED = 1, ENDED, RESULTS, CANCELLED };

struct generation {
    hq_job_id job;
    int open;      /* submitted, and its results are not here yet */
    int cancelled;
};

struct driver {
    int rank, size, leads_node;
    hq_ctx *ctx;        /* of rank 0 and of each node's leader */
    hq_server *server;  /* rank 0 */
    hq_client *client;  /* rank 0 */
    hq_worker *worker;  /* node leaders */
    const char *program;
    double *cells, *next;
    struct generation generations[GENERATIONS];
    unsigned n_generations, n_open, n_cancelled, n_results;
    int worker_over, server_over;
    double longest;     /* s, of one look at the events */
};

static void check(int code, const hq_error *err, const char *what)
{
    if (code >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, err->text);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* ---- starting ---- */

/* How the others reach the server. Whoever has the secret may submit and work: it goes to this program's ranks only. */
struct reach {
    char endpoint[ENDPOINT];
    unsigned char secret[32];
};

static void start_server(struct driver *d, struct reach *ret)
{
    hq_server_options o = {.size = sizeof o, .bind = "0.0.0.0"};
    hq_client_options c = {.size = sizeof c};
    hq_error err;
    check(hq_server_new(&d->server, d->ctx, &o, &err), &err, "server");
    c.endpoint = hq_server_endpoint(d->server, HQ_PLANE_CLIENT);
    c.secret = hq_server_secret(d->server, HQ_PLANE_CLIENT);
    check(hq_client_new(&d->client, d->ctx, &c, &err), &err, "client");
    snprintf(ret->endpoint, sizeof ret->endpoint, "%s", hq_server_endpoint(d->server, HQ_PLANE_WORKER));
    memcpy(ret->secret, hq_server_secret(d->server, HQ_PLANE_WORKER), sizeof ret->secret);
}

static void start_worker(struct driver *d, const struct reach *reach)
{
    hq_worker_options o = {.size = sizeof o, .cpus = "2"}; /* the others are the solver's */
    hq_error err;
    o.endpoint = reach->endpoint;
    o.secret = reach->secret;
    check(hq_worker_new(&d->worker, d->ctx, &o, &err), &err, "worker");
}

static void start(struct driver *d)
{
    struct reach reach = {0};
    MPI_Comm node;
    int in_node;
    hq_error err;
    MPI_Comm_rank(MPI_COMM_WORLD, &d->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &d->size);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &in_node);
    MPI_Comm_free(&node);
    d->leads_node = in_node == 0;
    if (d->rank == 0 || d->leads_node)
        check(hq_ctx_new(&d->ctx, NULL, &err), &err, "context");
    if (d->rank == 0)
        start_server(d, &reach);
    MPI_Bcast(&reach, sizeof reach, MPI_BYTE, 0, MPI_COMM_WORLD);
    if (d->leads_node)
        start_worker(d, &reach);
    d->cells = calloc(CELLS + 2, sizeof *d->cells);
    d->next = calloc(CELLS + 2, sizeof *d->next);
    if (!d->cells || !d->next)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (d->rank == 0)
        d->cells[1] = 1000; /* a hot end */
}

/* ---- the solver ---- */

static void exchange_borders(struct driver *d)
{
    int left = d->rank > 0 ? d->rank - 1 : MPI_PROC_NULL;
    int right = d->rank + 1 < d->size ? d->rank + 1 : MPI_PROC_NULL;
    MPI_Sendrecv(&d->cells[1], 1, MPI_DOUBLE, left, 0, &d->cells[CELLS + 1], 1, MPI_DOUBLE, right, 0, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    MPI_Sendrecv(&d->cells[CELLS], 1, MPI_DOUBLE, right, 1, &d->cells[0], 1, MPI_DOUBLE, left, 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
}

static void step(struct driver *d)
{
    exchange_borders(d);
    for (int i = 1; i <= CELLS; i++)
        d->next[i] = d->cells[i] + 0.25 * (d->cells[i - 1] - 2 * d->cells[i] + d->cells[i + 1]);
    double *old = d->cells;
    d->cells = d->next;
    d->next = old;
}

/* ---- the ensemble ---- */

static uint64_t tag_of(enum tag_kind kind, unsigned generation)
{
    return (uint64_t)kind << 32 | generation;
}

static void submit_generation(struct driver *d)
{
    const char *const argv[] = {d->program, NULL};
    unsigned g = d->n_generations++;
    char number[16];
    hq_error err;
    hq_submit *s = hq_submit_new(d->ctx);
    snprintf(number, sizeof number, "%u", g);
    hq_submit_set_command(s, argv);
    hq_submit_set_ranges(s, &(hq_range){0, MEMBERS, 1}, 1);
    hq_submit_set_env(s, "GENERATION", number);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    hq_submit_set_task_dir(s, 1);             /* for the results */
    hq_submit_set_priority(s, (int32_t)g);    /* what is newer matters more */
    check(hq_client_submit(d->client, s, tag_of(SUBMITTED, g), &err), &err, "submit");
    hq_submit_free(s);
    d->generations[g].open = 1;
    d->n_open++;
}

/* What was overtaken by several newer ones is of no more use. */
static void cancel_old(struct driver *d)
{
    hq_error err;
    for (unsigned g = 0; g + KEPT < d->n_generations; g++) {
        struct generation *old = &d->generations[g];
        if (!old->open || old->cancelled || old->job.n == 0)
            continue;
        check(hq_client_cancel(d->client, old->job, "overtaken", tag_of(CANCELLED, g), &err), &err, "cancel");
        old->cancelled = 1;
    }
}

static void read_results(struct driver *d, unsigned g, const hq_task_columns *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->state[i] == HQ_TASK_CANCELED)
            d->n_cancelled++;
        if (t->state[i] != HQ_TASK_FINISHED || !t->result[i])
            continue;
        printf("generation %u, member %u: %.*s\n", g, t->index[i], (int)t->result_size[i], (const char *)t->result[i]);
        d->n_results++;
    }
    d->generations[g].open = 0;
    d->n_open--;
}

static void on_reply(struct driver *d, const hq_event *e)
{
    unsigned g = (unsigned)e->tag;
    const hq_error why = {.code = e->code};
    hq_error err;
    if (e->code < 0)
        fprintf(stderr, "generation %u: %s\n", g, e->text);
    check(e->code, &why, "request");
    switch ((enum tag_kind)(e->tag >> 32)) {
    case SUBMITTED:
        d->generations[g].job = e->u.reply.job;
        check(hq_client_wait(d->client, e->u.reply.job, tag_of(ENDED, g), &err), &err, "wait");
        break;
    case ENDED:
        check(hq_client_tasks(d->client, d->generations[g].job, 0, tag_of(RESULTS, g), &err), &err, "results");
        break;
    case RESULTS:
        read_results(d, g, e->u.reply.tasks);
        break;
    case CANCELLED:
        break; /* its end is told */
    }
}

/* Between two steps: what has happened, without waiting for anything. */
static void look(struct driver *d)
{
    struct pollfd p = {.fd = d->ctx ? hq_ctx_fd(d->ctx) : -1, .events = POLLIN};
    const hq_event *e;
    hq_error err;
    double from = MPI_Wtime();
    if (!d->ctx || poll(&p, 1, 0) == 0)
        return;
    check(hq_ctx_dispatch(d->ctx, &err), &err, "dispatch");
    while (hq_ctx_next(d->ctx, &e) > 0) {
        if (e->type == HQ_EVENT_REPLY)
            on_reply(d, e);
        if (e->type == HQ_EVENT_STOPPED && d->worker && e->source == hq_worker_source(d->worker))
            d->worker_over = 1;
        if (e->type == HQ_EVENT_STOPPED && d->server && e->source == hq_server_source(d->server))
            d->server_over = 1;
    }
    double took = MPI_Wtime() - from;
    d->longest = took > d->longest ? took : d->longest;
}

/* ---- the end ---- */

/* Nothing to compute: the context may sleep. */
static void wait_for(struct driver *d, const int *done, const unsigned *open)
{
    while (done ? !*done : *open > 0) {
        struct pollfd p = {.fd = hq_ctx_fd(d->ctx), .events = POLLIN};
        poll(&p, 1, -1);
        look(d);
    }
}

/* The server says goodbye to the workers, wherever they are. */
static void finish(struct driver *d)
{
    hq_error err;
    if (d->rank == 0) {
        wait_for(d, NULL, &d->n_open);
        check(hq_server_stop(d->server, &err), &err, "stop");
        wait_for(d, &d->server_over, NULL);
    }
    if (d->worker)
        wait_for(d, &d->worker_over, NULL);
    if (d->rank == 0)
        printf("%u generations, %u results, %u cancelled, longest dispatch %.1f ms\n", d->n_generations, d->n_results,
               d->n_cancelled, d->longest * 1e3);
    hq_ctx_free(d->ctx);
    free(d->cells);
    free(d->next);
}

int main(int argc, char **argv)
{
    static struct driver d;
    long steps = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    MPI_Init(&argc, &argv);
    if (argc != 3 || steps < 1 || steps / EVERY >= GENERATIONS) {
        fprintf(stderr, "usage: driver STEPS PROGRAM, at most %d steps\n", EVERY * GENERATIONS - 1);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    d.program = argv[2];
    start(&d);
    for (long i = 0; i < steps; i++) {
        if (d.rank == 0 && i % EVERY == 0) {
            submit_generation(&d);
            cancel_old(&d);
        }
        step(&d);
        look(&d);
    }
    finish(&d);
    MPI_Finalize();
    return 0;
}
