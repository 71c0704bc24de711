/* SPDX-License-Identifier: MIT */
/* config_test.c - lib/model/config.c and lib/model/doc.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "model/config.h"
#include "model/doc.h"

#define B(text) ((struct bytes){text, sizeof(text) - 1})

static const struct resource_def cpus[] = {{.name = {"cpus", 4}, .kind = RESOURCE_RANGE, .end = 3}};

static struct worker_config good(void)
{
    return (struct worker_config){
        .hostname = B("node1"),
        .group = B("default"),
        .work_dir = B("/tmp/w"),
        .on_server_lost = LOST_STOP,
        .heartbeat_ms = 8000,
        .resources = {cpus, 1},
    };
}

static void fine(struct worker_config *c) {}
static void no_host(struct worker_config *c) { c->hostname = B(""); }
static void no_group(struct worker_config *c) { c->group = B(""); }
static void bad_host(struct worker_config *c) { c->hostname = B("\xff"); }
static void nul_dir(struct worker_config *c) { c->work_dir = B("a\0b"); }
static void fast(struct worker_config *c) { c->heartbeat_ms = 150; }
static void slow(struct worker_config *c) { c->time_limit_ms = UINT64_MAX; }
static void over(struct worker_config *c) { c->min_utilization = 10001; }
static void lost(struct worker_config *c) { c->on_server_lost = 0; }
static void manager(struct worker_config *c) { c->manager = 3; }
static void nothing(struct worker_config *c) { c->resources.n = 0; }

static const struct {
    void (*change)(struct worker_config *c);
    int rc;
    const char *text;
} rules[] = {
    {fine, HQ_OK, NULL},
    {no_host, HQ_EINVAL, "the hostname of the worker is empty"},
    {no_group, HQ_EINVAL, "the group of the worker is empty"},
    {bad_host, HQ_EINVAL, "the hostname of the worker is not valid UTF-8"},
    {nul_dir, HQ_EINVAL, "the work directory of the worker contains a NUL byte"},
    {fast, HQ_EINVAL, "the heartbeat of 150 ms is not above 150 ms"},
    {slow, HQ_ELIMIT, NULL},
    {over, HQ_EINVAL, "Minimal utilization has to be in the interval [0.0, 1.0]."},
    {lost, HQ_EINVAL, "unknown choice 0 for a lost server"},
    {manager, HQ_EINVAL, "unknown allocation manager 3"},
    {nothing, HQ_EINVAL, "Resource 'cpus' is missing"},
};

static void checks_each_rule(void **state)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct worker_config c = good();
        hq_error err = {0};
        rules[i].change(&c);
        int rc = hqi_model_config_check(&c, &err);
        if (rc != rules[i].rc || (rules[i].text && strcmp(err.text, rules[i].text) != 0))
            fail_msg("row %zu: rc %d, %s", i, rc, err.text);
    }
}

static void copies_or_not_at_all(void **state)
{
    struct worker_config from = good();
    char big[3000];
    memset(big, 'x', sizeof big);
    from.hostname = (struct bytes){big, sizeof big};
    from.group = from.hostname;
    for (unsigned at = 1;; at++) {
        struct failing f;
        failing_init(&f, at);
        struct worker_config *c = hqi_model_config_copy(&f.alloc, &from);
        bool done = c != NULL;
        if (done) {
            assert_true(bytes_equal(c->hostname, from.hostname));
            assert_ptr_not_equal(c->resources.items, from.resources.items);
            assert_int_equal(hqi_model_config_check(c, NULL), HQ_OK);
        }
        hqi_model_config_free(c);
        assert_int_equal(f.live, 0);
        if (done) {
            assert_true(at > 2);
            break;
        }
    }
    hqi_model_config_free(NULL);
}

static void finds_members(void **state)
{
    struct hq_doc members[] = {{.kind = DOC_UINT, .name = "id", .v.u = 7}, {.kind = DOC_NULL, .name = "name"}};
    const struct hq_doc map = {.kind = DOC_MAP, .n = 2, .v.child = members};
    const struct hq_doc list = {.kind = DOC_LIST, .n = 2, .v.child = members};
    assert_ptr_equal(hqi_model_doc_get(&map, "name"), &members[1]);
    assert_null(hqi_model_doc_get(&map, "nam"));
    assert_null(hqi_model_doc_get(&list, "id"));
    assert_null(hqi_model_doc_get(NULL, "id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_each_rule),
        cmocka_unit_test(copies_or_not_at_all),
        cmocka_unit_test(finds_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
