/* SPDX-License-Identifier: MIT */
/* contexts_test.c - two servers, three workers and four clients in one process: on one context, on nine in one thread, and on
 * nine in nine threads. Contexts share nothing; only hq_ctx_wake crosses threads. */
#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

enum { SERVERS = 2, WORKERS = 3, CLIENTS = 4, ALL = SERVERS + WORKERS + CLIENTS, TASKS = 20 };

static const char *const true_argv[] = {"/bin/true", NULL};

struct crowd {
    hq_ctx *ctx[ALL]; /* of the servers, the workers, the clients; one or many */
    hq_server *server[SERVERS];
    hq_worker *worker[WORKERS];
    hq_client *client[CLIENTS];
    char dir[64];
};

static hq_ctx **ctx_of_worker(struct crowd *c, int i)
{
    return &c->ctx[SERVERS + i];
}

static hq_ctx **ctx_of_client(struct crowd *c, int i)
{
    return &c->ctx[SERVERS + WORKERS + i];
}

static hq_server *server_of(struct crowd *c, int i)
{
    return c->server[i % SERVERS];
}

static void add_worker(struct crowd *c, int i)
{
    hq_worker_options o = {.size = sizeof o, .cpus = "1", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE};
    o.work_dir = c->dir;
    o.endpoint = hq_server_endpoint(server_of(c, i), HQ_PLANE_WORKER);
    o.secret = hq_server_secret(server_of(c, i), HQ_PLANE_WORKER);
    must(hq_worker_new(&c->worker[i], *ctx_of_worker(c, i), &o, RIG_ERR));
}

static void add_client(struct crowd *c, int i)
{
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(server_of(c, i), HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(server_of(c, i), HQ_PLANE_CLIENT);
    must(hq_client_new(&c->client[i], *ctx_of_client(c, i), &o, RIG_ERR));
}

static void crowd_open(struct crowd *c, bool one_ctx)
{
    *c = (struct crowd){.dir = "/tmp/hq-embed-XXXXXX"};
    assert_non_null(mkdtemp(c->dir));
    for (int i = 0; i < ALL; i++)
        if (i == 0 || !one_ctx)
            must(hq_ctx_new(&c->ctx[i], NULL, RIG_ERR));
        else
            c->ctx[i] = c->ctx[0];
    for (int i = 0; i < SERVERS; i++)
        must(hq_server_new(&c->server[i], c->ctx[i], NULL, RIG_ERR));
    for (int i = 0; i < WORKERS; i++)
        add_worker(c, i);
    for (int i = 0; i < CLIENTS; i++)
        add_client(c, i);
}

static void crowd_close(struct crowd *c)
{
    char command[128];
    for (int i = ALL - 1; i >= 0; i--)
        if (i == 0 || c->ctx[i] != c->ctx[0])
            hq_ctx_free(c->ctx[i]);
    snprintf(command, sizeof command, "rm -rf %s", c->dir);
    assert_int_equal(system(command), 0);
}

static hq_submit *make_submit(struct crowd *c, int i)
{
    hq_submit *s = hq_submit_new(*ctx_of_client(c, i));
    hq_submit_set_command(s, true_argv);
    hq_submit_set_array(s, "1-20");
    hq_submit_set_cwd(s, c->dir);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    return s;
}

/* ---- one thread ---- */

static void dispatch_all(struct crowd *c)
{
    struct pollfd p[ALL];
    for (int i = 0; i < ALL; i++)
        p[i] = (struct pollfd){hq_ctx_fd(c->ctx[i]), POLLIN, 0};
    assert_true(poll(p, ALL, LONG_MS) > 0);
    for (int i = 0; i < ALL; i++)
        if (p[i].revents)
            must(hq_ctx_dispatch(c->ctx[i], RIG_ERR));
}

enum { SUBMITTED = 100, ENDED = 200 };

/* True: the client's job has ended. */
static bool on_reply(struct crowd *c, const hq_event *e)
{
    assert_int_equal(e->code, HQ_OK);
    if (e->tag >= ENDED)
        return true;
    int i = (int)e->tag - SUBMITTED;
    assert_int_equal(e->source, hq_client_source(c->client[i]));
    must(hq_client_wait(c->client[i], e->u.reply.job, ENDED + (uint64_t)i, RIG_ERR));
    return false;
}

static void run_in_one_thread(bool one_ctx)
{
    struct crowd c;
    const hq_event *e;
    int ended = 0;
    crowd_open(&c, one_ctx);
    for (int i = 0; i < CLIENTS; i++) {
        hq_submit *s = make_submit(&c, i);
        must(hq_client_submit(c.client[i], s, SUBMITTED + (uint64_t)i, RIG_ERR));
        hq_submit_free(s);
    }
    while (ended < CLIENTS) {
        dispatch_all(&c);
        for (int i = 0; i < ALL; i++)
            while (hq_ctx_next(c.ctx[i], &e) > 0)
                ended += e->type == HQ_EVENT_REPLY && on_reply(&c, e);
    }
    crowd_close(&c);
}

static void test_on_one_context(void **state)
{
    run_in_one_thread(true);
}

static void test_on_nine_contexts_in_one_thread(void **state)
{
    run_in_one_thread(false);
}

/* ---- nine threads ---- */

struct runner {
    pthread_t thread;
    struct crowd *crowd;
    int client;
    hq_ctx *ctx;
    bool over; /* under the mutex */
    pthread_mutex_t mutex;
    int code;
    uint64_t finished;
    hq_error err;
};

static bool is_over(struct runner *r)
{
    pthread_mutex_lock(&r->mutex);
    bool over = r->over;
    pthread_mutex_unlock(&r->mutex);
    return over;
}

/* A thread that the host gives away. */
static void *give_away(void *arg)
{
    struct runner *r = arg;
    const hq_event *e;
    while (!is_over(r) && (r->code = hq_ctx_run(r->ctx, LONG_MS, &r->err)) >= 0)
        while (hq_ctx_next(r->ctx, &e) > 0)
            ;
    return NULL;
}

static void *submit_and_wait(void *arg)
{
    struct runner *r = arg;
    hq_client *client = r->crowd->client[r->client];
    hq_submit *s = make_submit(r->crowd, r->client);
    hq_job_status status = {.size = sizeof status};
    hq_job_id job;
    r->code = hq_submit_array(client, NULL, true_argv, s, &job, &r->err);
    if (r->code >= 0)
        r->code = hq_job_wait(client, job, LONG_MS, &r->err);
    if (r->code >= 0)
        r->code = hq_job_progress(client, job, &status, &r->err);
    r->finished = status.finished;
    hq_submit_free(s);
    return NULL;
}

static void start(struct runner *r, struct crowd *c, int i)
{
    bool is_client = i >= SERVERS + WORKERS;
    *r = (struct runner){.crowd = c, .client = i - SERVERS - WORKERS, .ctx = c->ctx[i]};
    pthread_mutex_init(&r->mutex, NULL);
    assert_int_equal(pthread_create(&r->thread, NULL, is_client ? submit_and_wait : give_away, r), 0);
}

static void end(struct runner *r)
{
    pthread_mutex_lock(&r->mutex);
    r->over = true;
    pthread_mutex_unlock(&r->mutex);
    hq_ctx_wake(r->ctx);
    pthread_join(r->thread, NULL);
    pthread_mutex_destroy(&r->mutex);
    if (r->code < 0)
        fail_msg("%d: %s", r->code, r->err.text);
}

/* Each context is made in this thread, used in another, and freed in this one: at one time, one thread has it. */
static void test_on_nine_contexts_in_nine_threads(void **state)
{
    static struct runner runners[ALL];
    struct crowd c;
    crowd_open(&c, false);
    for (int i = 0; i < ALL; i++)
        start(&runners[i], &c, i);
    for (int i = ALL - 1; i >= SERVERS + WORKERS; i--) {
        end(&runners[i]);
        assert_int_equal(runners[i].finished, TASKS);
    }
    for (int i = SERVERS + WORKERS - 1; i >= 0; i--)
        end(&runners[i]);
    crowd_close(&c);
}

/* ---- separate worlds ---- */

static void test_servers_know_nothing_of_each_other(void **state)
{
    struct rig a, b;
    hq_job_id job;
    hq_error err;
    rig_open(&a);
    rig_open(&b);
    rig_worker(&b, "1");
    hq_submit *s = rig_submit(&b, "1-5", true_argv);
    must(hq_submit_array(b.client, NULL, true_argv, s, &job, RIG_ERR));
    must(hq_job_wait(b.client, job, LONG_MS, RIG_ERR));
    hq_submit_free(s);
    assert_int_equal(hq_job_wait(a.client, job, LONG_MS, &err), HQ_ENOENT);
    rig_close(&b);
    rig_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_one_context),
        cmocka_unit_test(test_on_nine_contexts_in_one_thread),
        cmocka_unit_test(test_on_nine_contexts_in_nine_threads),
        cmocka_unit_test(test_servers_know_nothing_of_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
