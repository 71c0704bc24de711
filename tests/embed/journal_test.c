/* SPDX-License-Identifier: MIT */
/* journal_test.c - a server with a journal inside a host: one thread more, that takes no signals; freed without a word it may
 * be made again from its file, by the same process, and everybody who waits goes on; a forked child touches nothing of it. */
#include "rig.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char journal[96], server_dir[96];

static void serve(struct rig *r)
{
    hq_server_options o = {.size = sizeof o, .server_dir = server_dir, .journal = journal};
    must(hq_server_new(&r->server, r->ctx, &o, RIG_ERR));
}

/* Two contexts: a server that dies with its own takes nobody with it. */
static void open_two_with(struct rig *host, struct rig *other, const hq_ctx_options *o)
{
    *host = *other = (struct rig){.dir = "/tmp/hq-embed-XXXXXX"};
    assert_non_null(mkdtemp(host->dir));
    memcpy(other->dir, host->dir, sizeof other->dir);
    snprintf(journal, sizeof journal, "%s/journal", host->dir);
    snprintf(server_dir, sizeof server_dir, "%s/server", host->dir);
    must(hq_ctx_new(&host->ctx, o, RIG_ERR));
    serve(host);
}

static void open_two(struct rig *host, struct rig *other)
{
    open_two_with(host, other, NULL);
}

/* Whether one thread of the process has this name, and blocks all signals that can be blocked. */
static bool is_quiet_thread(const char *name)
{
    bool found = false;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));) {
        char path[96], line[256], got[64] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/status", e->d_name);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f)) {
            sscanf(line, "Name: %63s", got);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (f)
            fclose(f);
        found = found || (strcmp(got, name) == 0 && (blocked | 1ull << 8 | 1ull << 18) >= 0x7fffffffull); /* KILL, STOP */
    }
    closedir(d);
    return found;
}

static void test_one_thread_more(void **state)
{
    struct rig r, other;
    int before = rig_count_threads();
    open_two(&r, &other);
    assert_int_equal(rig_count_threads(), before + 3);
    assert_true(is_quiet_thread("hq-journal"));
    hq_server_free(r.server);
    assert_int_equal(rig_count_threads(), before + 2);
    rig_close(&r);
    assert_int_equal(rig_count_threads(), before);
}

static void dispatch_both(struct rig *a, struct rig *b)
{
    hq_ctx_run(a->ctx, 5, NULL);
    hq_ctx_run(b->ctx, 5, NULL);
}

static hq_job_id await_reply(struct rig *host, struct rig *other, uint64_t tag)
{
    const hq_event *e;
    for (int i = 0; i < 6000; i++) {
        dispatch_both(host, other);
        while (hq_ctx_next(other->ctx, &e) > 0)
            if (e->type == HQ_EVENT_REPLY && e->tag == tag) {
                assert_int_equal(e->code, HQ_OK);
                return e->u.reply.job;
            }
    }
    fail_msg("no reply");
    return (hq_job_id){0};
}

static void *measuring_alloc(void *user, void *ptr, size_t size)
{
    size_t *largest = user;
    *largest = size > *largest ? size : *largest;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

/* Reads until nothing follows: then the last request waits, under this tag. */
static uint64_t read_all(struct rig *host, struct rig *other, hq_journal *j)
{
    const hq_event *e;
    const hq_doc *event;
    uint64_t tag = 100;
    must(hq_tools_journal_read(other->client, j, tag, RIG_ERR));
    must(hq_tools_server_info(other->client, 1, RIG_ERR)); /* is answered behind the page, or there is none */
    for (int i = 0; i < 6000; i++) {
        dispatch_both(host, other);
        while (hq_ctx_next(other->ctx, &e) > 0) {
            if (e->type != HQ_EVENT_REPLY)
                continue;
            assert_int_equal(e->code, HQ_OK);
            if (e->tag == 1)
                return tag;
            must(hq_tools_journal_feed(j, e->u.reply.doc, RIG_ERR));
            while (hq_tools_journal_next(j, &event, NULL) > 0)
                ;
            must(hq_tools_journal_read(other->client, j, ++tag, RIG_ERR));
        }
    }
    fail_msg("no reply");
    return 0;
}

/* A page is 256 kB: nobody who waits for one may cost that. */
static void test_a_reader_that_waits_takes_no_page(void **state)
{
    size_t largest = 0;
    struct rig host, other;
    hq_journal *j;
    hq_ctx_options measured = {.size = sizeof measured, .alloc = measuring_alloc, .user = &largest};
    hq_client_options co = {.size = sizeof co, .server_dir = server_dir};
    open_two_with(&host, &other, &measured);
    must(hq_ctx_new(&other.ctx, NULL, RIG_ERR));
    must(hq_client_new(&other.client, other.ctx, &co, RIG_ERR));
    must(hq_tools_journal_remote(&j, 1, RIG_ERR));
    uint64_t tag = read_all(&host, &other, j);
    largest = 0;
    must(hq_tools_server_info(other.client, 2, RIG_ERR));
    await_reply(&host, &other, 2);
    static const char *const argv[] = {"true", NULL};
    hq_submit *s = rig_submit(&other, "1", argv);
    must(hq_client_submit(other.client, s, 3, RIG_ERR));
    hq_submit_free(s);
    await_reply(&host, &other, tag);
    assert_in_range(largest, 1, 200000);
    hq_tools_journal_free(j);
    rig_free(&other);
    rig_close(&host);
}

/* The host frees its server, without a word to anybody, and makes it anew. */
static void test_a_server_that_is_made_again(void **state)
{
    static const char *const argv[] = {"sleep", "1", NULL};
    struct rig host, other;
    hq_client_options co = {.size = sizeof co, .server_dir = server_dir};
    hq_worker_options wo = {.size = sizeof wo, .server_dir = server_dir, .cpus = "2", .detect = HQ_DETECT_NONE,
                            .manager = HQ_MANAGER_NONE};
    open_two(&host, &other);
    must(hq_ctx_new(&other.ctx, NULL, RIG_ERR));
    wo.work_dir = host.dir;
    must(hq_worker_new(&other.worker, other.ctx, &wo, RIG_ERR));
    must(hq_client_new(&other.client, other.ctx, &co, RIG_ERR));
    hq_submit *s = rig_submit(&other, "1-2", argv);
    must(hq_client_submit(other.client, s, 1, RIG_ERR));
    hq_submit_free(s);
    hq_job_id job = await_reply(&host, &other, 1);
    must(hq_client_wait(other.client, job, 2, RIG_ERR));
    for (int i = 0; i < 40; i++) /* the tasks start, most likely */
        dispatch_both(&host, &other);
    hq_worker_id id = hq_worker_get_id(other.worker);
    hq_server_free(host.server);
    serve(&host);
    await_reply(&host, &other, 2);
    assert_int_equal(hq_worker_get_id(other.worker).n, id.n);
    must(hq_client_wait(other.client, job, 3, RIG_ERR));
    await_reply(&host, &other, 3);
    rig_free(&other);
    rig_close(&host);
}

/* The worker's program has a batch when the server goes, and answers before it is back: nothing is run again, and what was
 * returned is there also after one more restart. */
static void test_functions_over_restarts(void **state)
{
    static const char *const functions[] = {"f", NULL};
    struct rig host, other;
    hq_client_options co = {.size = sizeof co, .server_dir = server_dir};
    hq_worker_options wo = {.size = sizeof wo, .server_dir = server_dir, .cpus = "1", .detect = HQ_DETECT_NONE,
                            .manager = HQ_MANAGER_NONE, .functions = functions};
    const hq_batch *b = NULL;
    const hq_event *e;
    open_two(&host, &other);
    must(hq_ctx_new(&other.ctx, NULL, RIG_ERR));
    wo.work_dir = host.dir;
    must(hq_worker_new(&other.worker, other.ctx, &wo, RIG_ERR));
    must(hq_client_new(&other.client, other.ctx, &co, RIG_ERR));
    hq_submit *s = hq_submit_new(other.ctx);
    hq_submit_set_function(s, "f");
    must(hq_client_submit(other.client, s, 1, RIG_ERR));
    hq_submit_free(s);
    hq_job_id job = await_reply(&host, &other, 1);
    for (int i = 0; !b && i < 6000; i++) {
        dispatch_both(&host, &other);
        while (!b && hq_ctx_next(other.ctx, &e) > 0)
            b = e->type == HQ_EVENT_BATCH ? e->u.batch : NULL;
    }
    assert_non_null(b);
    hq_server_free(host.server);
    const void *const result = "kept";
    const size_t size = 4;
    const hq_answer a = {.size = sizeof a, .count = 1, .result = &result, .result_size = &size};
    must(hq_worker_answer(other.worker, b, &a, RIG_ERR));
    serve(&host);
    must(hq_client_wait(other.client, job, 2, RIG_ERR));
    await_reply(&host, &other, 2);
    hq_server_free(host.server);
    serve(&host);
    must(hq_client_tasks(other.client, job, 0, 3, RIG_ERR));
    for (const hq_task_columns *t = NULL; !t;) {
        dispatch_both(&host, &other);
        while (!t && hq_ctx_next(other.ctx, &e) > 0) {
            assert_int_not_equal(e->type, HQ_EVENT_BATCH);
            t = e->type == HQ_EVENT_REPLY && e->tag == 3 ? e->u.reply.tasks : NULL;
        }
        assert_true(!t || (t->count == 1 && t->state[0] == HQ_TASK_FINISHED && t->instance[0] == 0 && t->result_size[0] == 4 &&
                           memcmp(t->result[0], "kept", 5) == 0));
    }
    rig_free(&other);
    rig_close(&host);
}

static void test_a_child_leaves_it_alone(void **state)
{
    struct rig r, other;
    struct stat before, after;
    int status;
    open_two(&r, &other);
    assert_int_equal(stat(journal, &before), 0);
    pid_t pid = fork();
    if (pid == 0) {
        hq_ctx_free(r.ctx);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(stat(journal, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    hq_server_options again = {.size = sizeof again, .journal = journal};
    hq_server *second;
    hq_error err;
    assert_int_equal(hq_server_new(&second, r.ctx, &again, &err), HQ_EEXIST); /* still ours */
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_more),
        cmocka_unit_test(test_a_reader_that_waits_takes_no_page),
        cmocka_unit_test(test_a_server_that_is_made_again),
        cmocka_unit_test(test_functions_over_restarts),
        cmocka_unit_test(test_a_child_leaves_it_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
