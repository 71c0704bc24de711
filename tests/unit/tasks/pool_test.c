/* SPDX-License-Identifier: MIT */
/* Claims as people write them, and the indices that they get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "hqcore/types.h"
#include "tasks/pool.h"
#include "text/request.h"
#include "text/resource_def.h"

#define MAX_NODE 4
#define MAX_HELD 32

struct bench {
    struct failing mem;
    struct arena arena;
    struct buf text;
    struct resource_def defs[MAX_NODE];
    struct resources resources;
    struct pools *pools;
    struct allocation held[MAX_HELD];
    int n_held;
};

/* "cpus=4; mem=sum(2)" */
static void parse_node(struct bench *b, const char *node)
{
    char copy[256], *save = NULL;
    strcpy(copy, node);
    for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
        struct resource_def *d = &b->defs[b->resources.n++];
        if (strncmp(one, "cpus=", 5) == 0)
            assert_int_equal(hqi_text_resource_def_parse_cpus(d, &b->arena, bytes_of(one + 5), &b->text), 0);
        else
            assert_int_equal(hqi_text_resource_def_parse(d, &b->arena, bytes_of(one), &b->text), 0);
    }
    b->resources.items = b->defs;
    hqi_model_resource_sort(b->defs, b->resources.n);
}

static void bench_init(struct bench *b, const char *node)
{
    *b = (struct bench){0};
    failing_init(&b->mem, 0);
    hqi_base_arena_init(&b->arena, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b->text, &hqi_base_alloc_libc);
    parse_node(b, node);
    assert_int_equal(hqi_tasks_pool_new(&b->pools, &b->mem.alloc, &b->resources, NULL), 0);
}

static void bench_fini(struct bench *b)
{
    for (int i = 0; i < b->n_held; i++)
        if (b->held[i].entries)
            hqi_tasks_pool_release(b->pools, &b->held[i]);
    assert_int_equal(hqi_tasks_pool_verify(b->pools, NULL), 0);
    hqi_tasks_pool_free(b->pools);
    assert_int_equal(b->mem.live, 0);
    hqi_base_arena_fini(&b->arena);
    hqi_base_buf_fini(&b->text);
}

/* "cpus=2 tight; gpus=1", entries sorted by name */
static struct request_variant parse_request(struct bench *b, const char *in)
{
    struct request_entry *entries = hqi_base_arena_zero(&b->arena, MAX_NODE, sizeof *entries);
    struct request_variant v = {.entries = entries, .weight = HQ_UNITS};
    char copy[256], *save = NULL;
    strcpy(copy, in);
    for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save))
        assert_int_equal(hqi_text_request_parse(&entries[v.n_entries++], &b->arena, bytes_of(one), &b->text), 0);
    return v;
}

static void verify(struct bench *b)
{
    const struct allocation *held[MAX_HELD];
    uint32_t n = 0;
    for (int i = 0; i < b->n_held; i++)
        if (b->held[i].entries)
            held[n++] = &b->held[i];
    assert_int_equal(hqi_tasks_pool_verify_held(b->pools, held, n, NULL), 0);
}

/* "3,2" or, with more resources, "3,2;0"; "no" when it has to wait */
static const char *claim(struct bench *b, const char *request)
{
    struct request_variant v = parse_request(b, request);
    struct allocation *a = &b->held[b->n_held];
    bool fits = hqi_tasks_pool_fits_now(b->pools, &v);
    int rc = hqi_tasks_pool_claim(b->pools, &v, a, NULL);
    assert_int_equal(rc, fits);
    if (rc == 0)
        return "no";
    b->n_held++;
    verify(b);
    hqi_base_buf_clear(&b->text);
    hqi_base_buf_adds(&b->text, "");
    for (uint32_t i = 0; i < a->n_entries; i++) {
        if (i > 0)
            hqi_base_buf_addc(&b->text, ';');
        hqi_tasks_pool_labels(b->pools, a, i, &b->text);
    }
    return b->text.n ? b->text.p : "";
}

static void release(struct bench *b, int nth)
{
    hqi_tasks_pool_release(b->pools, &b->held[nth]);
    verify(b);
}

/* ---- the vectors: what is asked, in order, and what is given ---- */

struct vector {
    const char *node;
    struct {
        const char *ask; /* "-N": the Nth claim ends */
        const char *get;
    } steps[12];
};

static const struct vector vectors[] = {
    {"cpus=4", {{"cpus=4", "3,2,1,0"}, {"cpus=0.1", "no"}, {"-0"}, {"cpus=3", "3,2,1"}, {"cpus=2", "no"}, {"cpus=1", "0"}}},
    {"cpus=4", {{"cpus=2", "3,2"}, {"-0"}, {"cpus=1", "3"}, {"cpus=all", "no"}, {"-1"}, {"cpus=all", "3,2,1,0"}}},
    {"cpus=[a,b,7]", {{"cpus=2", "7,b"}, {"cpus=1", "a"}}},
    {"cpus=range(4-6)", {{"cpus=2", "6,5"}}},
    /* four groups of six: two of four in groups of their own, the threes share one */
    {"cpus=4x6",
     {{"cpus=4", "2,3,4,5"}, {"cpus=4", "8,9,10,11"}, {"cpus=3", "15,16,17"}, {"cpus=3", "12,13,14"},
      {"cpus=6", "18,19,20,21,22,23"}, {"-4"}, {"cpus=7", "0,1,18,19,20,21,22"}, {"-5"},
      {"cpus=8", "0,1,18,19,20,21,22,23"}, {"-6"}, {"cpus=9", "0,1,6,7,18,19,20,21,22"}}},
    {"cpus=4x6", {{"cpus=24", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23"}, {"cpus=1", "no"}}},
    {"cpus=2x3", {{"cpus=all", "0,1,2,3,4,5"}, {"-0"}, {"cpus=0.5", "0"}, {"cpus=all", "no"}}},
    /* forced policies wait for as few groups as an empty worker needs */
    {"cpus=2x4",
     {{"cpus=3 compact!", "1,2,3"}, {"cpus=3 compact!", "5,6,7"}, {"cpus=2 compact!", "no"}, {"cpus=2", "0,4"}}},
    {"cpus=3x4", {{"cpus=8 compact!", "0,1,2,3,4,5,6,7"}, {"cpus=5 compact!", "no"}, {"cpus=4 tight!", "11,10,9,8"}}},
    {"cpus=3x4", {{"cpus=5 compact!", "1,2,3,6,7"}, {"cpus=5 tight!", "11,10,9,8,0"}, {"cpus=2 compact!", "4,5"}}},
    {"cpus=3x4", {{"cpus=10 compact!", "0,1,2,3,5,6,7,9,10,11"}}},
    {"cpus=2x4", {{"cpus=9 compact!", "no"}}},
    /* unequal groups: a forced one does not wait for the group that fits best */
    {"cpus=[[a,b,c,d],[0,1,2,3,4,5,6,7,8,9,10,11]]",
     {{"cpus=4 compact!", "a,b,c,d"}, {"cpus=4 compact!", "8,9,10,11"}, {"cpus=4", "4,5,6,7"}}},
    {"cpus=3x4", {{"cpus=6", "1,2,3,5,6,7"}, {"-0"}, {"cpus=6 tight", "1,2,3,0,5,6"}, {"-1"},
                  {"cpus=6 scatter", "1,2,5,6,10,11"}}},
    {"cpus=3x4", {{"cpus=3 scatter", "3,7,11"}, {"-0"}, {"cpus=4 scatter", "2,3,7,11"}, {"cpus=2 scatter", "1,6"}}},
    /* sums */
    {"cpus=1;mem=sum(0.03)", {{"mem=1", "no"}, {"mem=0.0301", "no"}, {"mem=0.025", ""}, {"mem=0.006", "no"}, {"mem=0.005", ""}}},
    {"cpus=1;mem=sum(5)", {{"mem=all", ""}, {"mem=0.1", "no"}, {"-0"}, {"mem=0.1", ""}, {"mem=all", "no"}}},
    /* fractions */
    {"cpus=4", {{"cpus=2.15", "3,2,1"}, {"cpus=0.52", "1"}, {"cpus=0.52", "0"}, {"cpus=0.52", "no"}, {"cpus=0.4", "0"}}},
    {"cpus=2", {{"cpus=0.75", "1"}, {"cpus=0.75", "0"}, {"cpus=0.25", "1"}, {"cpus=0.25", "0"}, {"cpus=0.1", "no"},
                {"-0"}, {"-1"}, {"cpus=1.5", "no"}, {"-2"}, {"cpus=1.5", "1,0"}}},
    {"cpus=2", {{"cpus=0.75", "1"}, {"cpus=0.75", "0"}, {"cpus=0.5", "no"}, {"cpus=0.2", "1"}, {"cpus=0.25", "0"}}},
    {"cpus=3x2", {{"cpus=3.5", "0,1,3,2"}, {"cpus=0.4", "2"}, {"cpus=0.1", "2"}, {"cpus=2", "4,5"}, {"cpus=0.1", "no"}}},
    {"cpus=2x2", {{"cpus=1.5 compact!", "1,0"}, {"cpus=1.5 compact!", "3,2"}, {"cpus=1 compact!", "no"}, {"cpus=0.5 tight!", "0"}}},
    {"cpus=2x4", {{"cpus=4.5 tight", "3,2,1,0,7"}, {"cpus=1.5 tight", "6,7"}}},
    /* several resources at once: all or nothing */
    {"cpus=4;gpus=[x,y]", {{"cpus=1;gpus=2", "3;y,x"}, {"cpus=1;gpus=0.5", "no"}, {"cpus=3", "2,1,0"}}},
    {"cpus=3x2;gpus=3x2",
     {{"cpus=4", "0,1,2,3"}, {"gpus=1 compact!", "1"}, {"cpus=1 compact!;gpus=1 compact!", "5;0"},
      {"cpus=2 compact!;gpus=1", "no"}}},
    {"cpus=1", {{"gpus=1", "no"}, {"cpus=2", "no"}}},
    /* more groups than are searched exactly */
    {"cpus=20x2", {{"cpus=3", "0,1,3"}, {"cpus=1", "2"}, {"cpus=5", "4,5,6,7,9"}, {"cpus=2.5", "8,11,10"}, {"cpus=0.5", "10"}}},
};

static void run_vector(const struct vector *v)
{
    struct bench b;
    bench_init(&b, v->node);
    for (size_t i = 0; i < sizeof v->steps / sizeof *v->steps && v->steps[i].ask; i++) {
        const char *ask = v->steps[i].ask, *got;
        if (ask[0] == '-') {
            release(&b, atoi(ask + 1));
            continue;
        }
        got = claim(&b, ask);
        if (strcmp(got, v->steps[i].get) != 0)
            fail_msg("%s: %s: got '%s', expected '%s'", v->node, ask, got, v->steps[i].get);
    }
    bench_fini(&b);
}

static void claims_give_the_expected_indices(void **state)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        run_vector(&vectors[i]);
}

static void totals_decide_what_could_ever_run(void **state)
{
    static const struct {
        const char *request;
        bool fits;
    } cases[] = {{"cpus=4", true},        {"cpus=4.1", false}, {"cpus=all", true}, {"gpus=1", false},
                 {"cpus=1;mem=5", true},  {"mem=5.5", true},   {"mem=5.6", false}, {"cpus=4 compact!", true}};
    struct bench b;
    bench_init(&b, "cpus=2x2;mem=sum(5.5)");
    assert_string_equal(claim(&b, "cpus=all"), "0,1,2,3");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request_variant v = parse_request(&b, cases[i].request);
        assert_int_equal(hqi_tasks_pool_fits_total(b.pools, &v), cases[i].fits);
    }
    struct request_variant nodes = parse_request(&b, "cpus=1");
    nodes.n_nodes = 1;
    assert_false(hqi_tasks_pool_fits_total(b.pools, &nodes));
    assert_false(hqi_tasks_pool_fits_now(b.pools, &nodes));
    bench_fini(&b);
}

static void amounts_are_kept(void **state)
{
    struct bench b;
    bench_init(&b, "cpus=2x2;mem=sum(5)");
    uint32_t cpus = hqi_tasks_pool_find(b.pools, bytes_of("cpus")), mem = hqi_tasks_pool_find(b.pools, bytes_of("mem"));
    assert_int_equal(hqi_tasks_pool_count(b.pools), 2);
    assert_int_equal(hqi_tasks_pool_find(b.pools, bytes_of("gpus")), POOL_NONE);
    claim(&b, "cpus=1.5;mem=2");
    assert_int_equal(hqi_tasks_pool_unused(b.pools, cpus), 25000);
    assert_int_equal(hqi_tasks_pool_unused(b.pools, mem), 30000);
    assert_int_equal(hqi_tasks_pool_total(b.pools, cpus), 40000);
    release(&b, 0);
    assert_int_equal(hqi_tasks_pool_unused(b.pools, cpus), 40000);
    bench_fini(&b);
}

/* Whatever is claimed and released in whatever order: nothing is held twice, nothing is lost. */
static void random_histories_keep_the_books(void **state)
{
    static const char *const nodes[] = {"cpus=8", "cpus=3x4", "cpus=2x4;gpus=2x2", "cpus=15x2;mem=sum(9)"};
    static const char *const asks[] = {"cpus=1", "cpus=0.5", "cpus=2.25", "cpus=3 tight", "cpus=1.3 compact!",
                                       "cpus=4 scatter", "cpus=all", "cpus=0.7 tight!", "gpus=0.25", "cpus=1;gpus=1 tight"};
    uint32_t seed = 7;
    for (int i = 0; i < 4000; i++) {
        static struct bench b;
        if (i % 400 == 0)
            bench_init(&b, nodes[i / 400 % 4]);
        seed = seed * 1664525u + 1013904223u;
        int at = (int)(seed >> 8) % MAX_HELD;
        if (at < b.n_held && b.held[at].entries) {
            release(&b, at);
            b.held[at] = b.held[--b.n_held];
        } else if (b.n_held < MAX_HELD) {
            claim(&b, asks[(seed >> 20) % 10]);
        }
        if (i % 400 == 399)
            bench_fini(&b);
    }
}

static void no_memory_changes_nothing(void **state)
{
    struct bench b;
    bench_init(&b, "cpus=2x2;mem=sum(5)");
    struct request_variant v = parse_request(&b, "cpus=1.5;mem=2");
    hqi_tasks_pool_free(b.pools);
    for (size_t i = 1;; i++) {
        struct pools *pools = NULL;
        failing_init(&b.mem, i);
        int rc = hqi_tasks_pool_new(&pools, &b.mem.alloc, &b.resources, NULL);
        if (rc == 0) {
            struct allocation a;
            rc = hqi_tasks_pool_claim(pools, &v, &a, NULL);
            if (rc == 1)
                hqi_tasks_pool_release(pools, &a);
            assert_int_equal(hqi_tasks_pool_unused(pools, 0), 40000);
        }
        hqi_tasks_pool_free(pools);
        assert_int_equal(b.mem.live, 0);
        assert_int_equal(rc, b.mem.hit ? HQ_ENOMEM : 1);
        if (!b.mem.hit)
            break;
    }
    hqi_base_arena_fini(&b.arena);
    hqi_base_buf_fini(&b.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_give_the_expected_indices), cmocka_unit_test(totals_decide_what_could_ever_run),
        cmocka_unit_test(amounts_are_kept),                 cmocka_unit_test(random_histories_keep_the_books),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
