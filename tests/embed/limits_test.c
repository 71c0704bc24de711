/* SPDX-License-Identifier: MIT */
/* limits_test.c - what has no sense or no end: inputs beyond every limit, no descriptors, no threads, hosts that never
 * dispatch. An error comes with a text that fits; nothing is lost of what was there. */
#include "rig.h"

#include <grp.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char *const true_argv[] = {"/bin/true", NULL};

#define HUGE (20u << 20) /* beyond every limit, that of one message included */

static char *huge(char c)
{
    char *p = malloc(HUGE + 1);
    assert_non_null(p);
    memset(p, c, HUGE);
    p[HUGE] = '\0';
    return p;
}

/* ---- inputs ---- */

typedef void setter(hq_submit *s, const char *text);

static void argument(hq_submit *s, const char *text)
{
    const char *const argv[] = {"/bin/true", text, NULL};
    hq_submit_set_command(s, argv);
}
static void variable(hq_submit *s, const char *text) { hq_submit_set_env(s, "NAME", text); }
static void variable_name(hq_submit *s, const char *text) { hq_submit_set_env(s, text, ""); }
static void resource(hq_submit *s, const char *text) { hq_submit_set_resource(s, text, "1"); }
static void amount(hq_submit *s, const char *text) { hq_submit_set_resource(s, "cpus", text); }
static void standard_input(hq_submit *s, const char *text) { hq_submit_set_stdin(s, text, strlen(text)); }
static void entry(hq_submit *s, const char *text) { hq_submit_add_entry(s, text, strlen(text)); }

static int submit_with(struct rig *r, setter *set, const char *text, hq_error *err)
{
    hq_job_id job;
    hq_submit *s = rig_submit(r, NULL, true_argv);
    set(s, text);
    int code = hq_submit_array(r->client, NULL, set == argument ? (const char *const[]){"/bin/true", text, NULL} : true_argv, s,
                               &job, err);
    hq_submit_free(s);
    return code;
}

static void test_texts_of_twenty_megabytes(void **state)
{
    static setter *const setters[] = {hq_submit_set_name, hq_submit_set_array, argument, variable, variable_name,
                                      hq_submit_set_cwd, hq_submit_set_stdout, hq_submit_set_stderr, resource, amount,
                                      standard_input, entry};
    struct rig r;
    char *text = huge('x');
    rig_open(&r);
    for (size_t i = 0; i < sizeof setters / sizeof *setters; i++) {
        hq_error err = {0};
        int code = submit_with(&r, setters[i], text, &err);
        if (code != HQ_EINVAL && code != HQ_ELIMIT)
            fail_msg("setter %d: %d: %s", (int)i, code, err.text);
        assert_in_range(strlen(err.text), 10, sizeof err.text - 1);
    }
    hq_error err;
    assert_int_equal(hq_job_cancel(r.client, (hq_job_id){1}, text, &err), HQ_ELIMIT);
    assert_int_equal(submit_with(&r, entry, "small", &err), HQ_OK);
    free(text);
    rig_close(&r);
}

static void test_worker_options_of_twenty_megabytes(void **state)
{
    struct rig r;
    char *text = huge('y');
    const char *const list[] = {text, NULL};
    rig_open(&r);
    for (int i = 0; i < 8; i++) {
        hq_error err = {0};
        hq_worker *w;
        hq_worker_options o = {.size = sizeof o, .cpus = "1", .detect = HQ_DETECT_CPUS, .work_dir = r.dir};
        o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
        o.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
        o.manager = HQ_MANAGER_NONE;
        const char **texts[] = {&o.endpoint, &o.cpus, &o.group, &o.hostname, &o.work_dir, &o.helper};
        if (i < 6)
            *texts[i] = text;
        else if (i == 6)
            o.resources = list;
        else
            o.endpoint = NULL, o.server_dir = text;
        int code = hq_worker_new(&w, r.ctx, &o, &err);
        if (code >= 0)
            fail_msg("worker option %d: taken", i);
        assert_in_range(strlen(err.text), 10, sizeof err.text - 1);
    }
    hq_error err;
    hq_client *c;
    hq_server *s;
    const hq_client_options client = {.size = sizeof client, .server_dir = text};
    const hq_server_options server = {.size = sizeof server, .server_dir = text}, bind = {.size = sizeof bind, .bind = text};
    assert_true(hq_client_new(&c, r.ctx, &client, &err) < 0);
    assert_true(hq_server_new(&s, r.ctx, &server, &err) < 0);
    assert_true(hq_server_new(&s, r.ctx, &bind, &err) < 0);
    free(text);
    rig_close(&r);
}

static void test_names_are_utf8(void **state)
{
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf"};
    struct rig r;
    rig_open(&r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hq_error err = {0};
        hq_worker *w;
        assert_int_equal(submit_with(&r, hq_submit_set_name, bad[i], &err), HQ_EINVAL);
        assert_int_equal(submit_with(&r, resource, bad[i], &err), HQ_EINVAL);
        hq_worker_options o = {.size = sizeof o, .cpus = "1", .detect = HQ_DETECT_CPUS, .work_dir = r.dir, .group = bad[i]};
        o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
        o.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
        assert_int_equal(hq_worker_new(&w, r.ctx, &o, &err), HQ_EINVAL);
        assert_int_equal(submit_with(&r, entry, bad[i], &err), HQ_OK); /* bytes are bytes */
        assert_int_equal(submit_with(&r, argument, bad[i], &err), HQ_OK);
        assert_int_equal(submit_with(&r, variable, bad[i], &err), HQ_OK);
    }
    rig_close(&r);
}

static int submit_ranges(struct rig *r, const hq_range *ranges, size_t n, hq_error *err)
{
    hq_job_id job;
    hq_submit *s = rig_submit(r, NULL, true_argv);
    hq_submit_set_ranges(s, ranges, n);
    int code = hq_submit_array(r->client, NULL, true_argv, s, &job, err);
    hq_submit_free(s);
    return code;
}

static void test_arrays_of_all_ids(void **state)
{
    enum { MANY = (1 << 20) + 1 };
    static hq_range many[MANY];
    static const struct {
        hq_range range;
        int code;
    } cases[] = {
        {{0, UINT32_MAX, 1}, HQ_OK},
        {{UINT32_MAX, 1, 1}, HQ_OK},
        {{1, UINT32_MAX, 1}, HQ_OK},
        {{UINT32_MAX, 2, 1}, HQ_EINVAL},
        {{2, UINT32_MAX, 1}, HQ_EINVAL},
        {{0, UINT32_MAX, 2}, HQ_EINVAL},
        {{0, 0, 1}, HQ_EINVAL},
        {{0, 1, 0}, HQ_EINVAL},
    };
    struct rig r;
    hq_error err;
    rig_open(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (submit_ranges(&r, &cases[i].range, 1, &err) != cases[i].code)
            fail_msg("range %d: %s", (int)i, err.text);
    for (uint32_t i = 0; i < MANY; i++)
        many[i] = (hq_range){2 * i, 1, 1};
    assert_int_equal(submit_ranges(&r, many, MANY, &err), HQ_ELIMIT);
    assert_int_equal(submit_with(&r, hq_submit_set_array, "0-4294967295", &err), HQ_ELIMIT); /* 2^32: one too many */
    assert_int_equal(submit_with(&r, hq_submit_set_array, "0-4294967294", &err), HQ_OK);
    assert_int_equal(submit_with(&r, hq_submit_set_array, "0-4294967296", &err), HQ_EINVAL);
    assert_int_equal(submit_with(&r, hq_submit_set_array, "0-999999999999999999999", &err), HQ_EINVAL);
    rig_close(&r);
}

/* ---- hosts that never dispatch ---- */

static void test_server_that_never_dispatches(void **state)
{
    struct rig r;
    hq_ctx *own;
    hq_client *c;
    hq_error err;
    rig_open(&r);
    must(hq_ctx_new(&own, NULL, RIG_ERR));
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(r.server, HQ_PLANE_CLIENT);
    must(hq_client_new(&c, own, &o, RIG_ERR));
    assert_int_equal(hq_job_wait(c, (hq_job_id){1}, 300, &err), HQ_ETIMEDOUT);
    must(hq_client_wait(c, (hq_job_id){1}, 5, RIG_ERR));
    const hq_event *e;
    while (hq_ctx_wait(own, 5, 10, &e, &err) == HQ_ETIMEDOUT) /* once it does, what was asked is answered */
        hq_ctx_run(r.ctx, 10, NULL);
    assert_int_equal(e->code, HQ_ENOENT);
    hq_ctx_free(own);
    rig_close(&r);
}

/* Requests wait here until the host dispatches, in order, all of them. */
static void test_client_that_never_dispatches(void **state)
{
    enum { REQUESTS = 20000 };
    struct rig r;
    const hq_event *e;
    rig_open(&r);
    for (uint64_t tag = 0; tag < REQUESTS; tag++)
        must(hq_client_cancel(r.client, (hq_job_id){1}, NULL, tag, RIG_ERR));
    must(hq_ctx_wait(r.ctx, REQUESTS - 1, LONG_MS, &e, RIG_ERR));
    for (uint64_t tag = 0; tag < REQUESTS - 1;) {
        assert_int_equal(hq_ctx_next(r.ctx, &e), 1);
        if (e->type == HQ_EVENT_REPLY)
            assert_int_equal(e->tag, tag++);
    }
    rig_close(&r);
}

/* An allocator that knows how much is in use; each block begins with its size. */
static void *count_alloc(void *user, void *ptr, size_t size)
{
    enum { HEAD = 16 };
    size_t *in_use = user;
    char *old = ptr ? (char *)ptr - HEAD : NULL;
    size_t had = 0;
    if (old)
        memcpy(&had, old, sizeof had);
    char *p = size ? realloc(old, size + HEAD) : NULL;
    if (size && !p)
        return NULL;
    *in_use += size - had;
    if (size == 0) {
        free(old);
        return NULL;
    }
    memcpy(p, &size, sizeof size);
    return p + HEAD;
}

static int connect_own(struct rig *r, hq_ctx **ctx, hq_client **c, hq_error *err)
{
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(r->server, HQ_PLANE_CLIENT);
    int code = hq_ctx_new(ctx, NULL, err);
    return code < 0 ? code : hq_client_new(c, *ctx, &o, err);
}

/* It asks for far more than the server keeps for one client, and reads nothing for a while: that costs a bounded amount, others
 * notice nothing, and when it reads, it gets everything. */
static void test_client_that_does_not_read(void **state)
{
    enum { JOBS = 2000, REQUESTS = 400, MOST = 24 << 20 };
    struct rig r;
    hq_ctx *own;
    hq_client *c;
    const hq_event *e;
    uint64_t next = 0;
    size_t in_use = 0, most = 0;
    const hq_ctx_options counted = {.size = sizeof counted, .alloc = count_alloc, .user = &in_use};
    rig_open(&r);
    rig_free(&r); /* the same once more, counted */
    must(hq_ctx_new(&r.ctx, &counted, RIG_ERR));
    must(hq_server_new(&r.server, r.ctx, NULL, RIG_ERR));
    rig_client(&r);
    hq_submit *s = rig_submit(&r, NULL, true_argv);
    for (uint64_t tag = 1; tag <= JOBS; tag++)
        must(hq_client_submit(r.client, s, tag, RIG_ERR));
    hq_submit_free(s);
    must(hq_ctx_wait(r.ctx, JOBS, LONG_MS, &e, RIG_ERR));
    hq_job_id job = e->u.reply.job;
    must(connect_own(&r, &own, &c, RIG_ERR));
    for (bool met = false; !met;) {
        hq_ctx_run(r.ctx, 5, NULL);
        hq_ctx_run(own, 5, NULL);
        met = hq_ctx_next(own, &e) > 0 && e->type == HQ_EVENT_CONNECTION;
    }
    for (uint64_t tag = 0; tag < REQUESTS; tag++)
        must(hq_tools_job_info(c, "all", 0, tag, RIG_ERR));
    must(hq_ctx_dispatch(own, RIG_ERR)); /* they leave */
    size_t before = in_use;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rig_status(&r, job).total, 1); /* the server goes on */
        most = in_use > most ? in_use : most;
    }
    assert_in_range(most - before, 4 << 20, MOST); /* it was asked for much more */
    while (next < REQUESTS) {
        hq_ctx_run(r.ctx, 0, NULL);
        hq_ctx_run(own, 5, NULL);
        while (hq_ctx_next(own, &e) > 0) {
            if (e->type != HQ_EVENT_REPLY)
                continue;
            assert_int_equal(e->tag, next++);
            assert_int_equal(e->code, HQ_OK);
            assert_int_equal(hq_doc_len(hq_doc_get(e->u.reply.doc, "jobs")), JOBS);
        }
    }
    hq_ctx_free(own);
    rig_close(&r);
    assert_int_equal(in_use, 0);
}

/* ---- what the system has no more of ---- */

/* In a process of its own: should the library abort, that is seen. */
static void in_child(bool (*what)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(what() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void limit(int what, rlim_t n)
{
    struct rlimit l;
    getrlimit(what, &l);
    l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
    setrlimit(what, &l);
}

/* A whole rig, or the code with which its making stopped. */
static int try_rig(struct rig *r)
{
    hq_error err = {0};
    hq_worker_options w = {.size = sizeof w, .cpus = "1", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE, .work_dir = r->dir};
    hq_client_options c = {.size = sizeof c};
    int code = hq_ctx_new(&r->ctx, NULL, &err);
    if (code >= 0)
        code = hq_server_new(&r->server, r->ctx, NULL, &err);
    if (code >= 0) {
        c.endpoint = hq_server_endpoint(r->server, HQ_PLANE_CLIENT);
        c.secret = hq_server_secret(r->server, HQ_PLANE_CLIENT);
        w.endpoint = hq_server_endpoint(r->server, HQ_PLANE_WORKER);
        w.secret = hq_server_secret(r->server, HQ_PLANE_WORKER);
        code = hq_client_new(&r->client, r->ctx, &c, &err);
    }
    if (code >= 0)
        code = hq_worker_new(&r->worker, r->ctx, &w, &err);
    return code;
}

static bool opens_with_few_descriptors(void)
{
    enum { MOST = 200 };
    bool ok = true, opened = false;
    struct rlimit before;
    struct rig r = {.dir = "/tmp/hq-embed-XXXXXX"};
    if (!mkdtemp(r.dir))
        return false;
    getrlimit(RLIMIT_NOFILE, &before);
    int fds = rig_count_fds();
    for (unsigned n = 0; n < MOST && !opened; n++) {
        limit(RLIMIT_NOFILE, (rlim_t)fds - 3 + n); /* of rig_count_fds, two are "." and "..", one is its own */
        int code = try_rig(&r);
        opened = code >= 0;
        ok = ok && (opened || code == HQ_ELIMIT);
        hq_ctx_free(r.ctx);
        r = (struct rig){.dir = "/tmp/hq-embed-XXXXXX"};
    }
    limit(RLIMIT_NOFILE, before.rlim_cur);
    return ok && opened && rig_count_fds() == fds;
}

static void test_no_descriptors(void **state)
{
    in_child(opens_with_few_descriptors);
}

/* Everything is open, and then there is no descriptor left: peers that come must wait, and the others are served. */
static bool serves_without_descriptors(void)
{
    struct rlimit before;
    struct rig r;
    hq_client *late;
    hq_job_id job;
    int status, address[2];
    rig_open(&r);
    rig_worker(&r, "1");
    rig_run(&r, "1-3", true_argv, 3);
    if (pipe(address) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) { /* with descriptors of its own */
        const hq_event *e;
        hq_ctx *ctx;
        hq_client_options o = {.size = sizeof o};
        o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_CLIENT);
        o.secret = hq_server_secret(r.server, HQ_PLANE_CLIENT);
        char go;
        if (read(address[0], &go, 1) != 1 || hq_ctx_new(&ctx, NULL, NULL) < 0 || hq_client_new(&late, ctx, &o, NULL) < 0 ||
            hq_client_wait(late, (hq_job_id){1}, 1, NULL) < 0)
            _exit(1);
        _exit(hq_ctx_wait(ctx, 1, LONG_MS, &e, NULL) < 0 || e->code != HQ_OK);
    }
    getrlimit(RLIMIT_NOFILE, &before);
    limit(RLIMIT_NOFILE, 3);
    bool ok = write(address[1], "g", 1) == 1;
    hq_submit *s = rig_submit(&r, "1-3", true_argv);
    for (int i = 0; i < 20; i++) {
        ok = ok && hq_submit_array(r.client, NULL, true_argv, s, &job, NULL) >= 0;
        hq_ctx_run(r.ctx, 20, NULL);
    }
    hq_submit_free(s);
    limit(RLIMIT_NOFILE, before.rlim_cur);
    while (waitpid(pid, &status, WNOHANG) == 0)
        hq_ctx_run(r.ctx, 20, NULL);
    rig_close(&r);
    return ok && status == 0;
}

static void test_no_descriptors_later(void **state)
{
    in_child(serves_without_descriptors);
}

#define NOBODY 65534

/* As a user who may start no more threads or processes. (root may always.) */
static bool refuses_without_threads(void)
{
    struct rig r = {.dir = "/tmp/hq-embed-XXXXXX"};
    hq_error err = {0};
    if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)) {
        print_message("skipped: cannot become another user\n");
        return true;
    }
    if (!mkdtemp(r.dir) || hq_ctx_new(&r.ctx, NULL, NULL) < 0)
        return false;
    limit(RLIMIT_NPROC, 1);
    bool ok = hq_server_new(&r.server, r.ctx, NULL, &err) == HQ_ELIMIT && strstr(err.text, "ulimit -u");
    const uint8_t secret[32] = {1};
    const hq_worker_options w = {.size = sizeof w, .endpoint = "tcp://127.0.0.1:1", .secret = secret, .cpus = "1",
                                 .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE, .work_dir = r.dir};
    ok = ok && hq_worker_new(&r.worker, r.ctx, &w, &err) < 0;
    rig_free(&r);
    return ok && rmdir(r.dir) == 0;
}

static void test_no_threads(void **state)
{
    in_child(refuses_without_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_twenty_megabytes),
        cmocka_unit_test(test_worker_options_of_twenty_megabytes),
        cmocka_unit_test(test_names_are_utf8),
        cmocka_unit_test(test_arrays_of_all_ids),
        cmocka_unit_test(test_server_that_never_dispatches),
        cmocka_unit_test(test_client_that_never_dispatches),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_no_descriptors_later),
        cmocka_unit_test(test_no_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
