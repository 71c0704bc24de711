/* SPDX-License-Identifier: MIT */
/* request_test.c - lib/model/request.c: what a task may ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "hqcore/types.h"
#include "model/resource.h"

#define B(text) {text, sizeof(text) - 1}
#define ONE(...) {.entries = (const struct request_entry[]){__VA_ARGS__}, .n_entries = 1, .weight = HQ_UNITS}
#define TWO(...) {.entries = (const struct request_entry[]){__VA_ARGS__}, .n_entries = 2, .weight = HQ_UNITS}

static const struct {
    struct request_variant v[2];
    uint32_t n;
    int rc;
    const char *text;
} requests[] = {
    {{ONE({B("cpus"), POLICY_COMPACT, 1})}, 1, HQ_OK, NULL},
    {{ONE({B("cpus"), POLICY_ALL, 0})}, 1, HQ_OK, NULL},
    {{TWO({B("cpus"), POLICY_SCATTER, 1}, {B("mem"), POLICY_TIGHT, 5})}, 1, HQ_OK, NULL},
    {{ONE({B("cpus"), POLICY_COMPACT, 1}), ONE({B("gpus"), POLICY_COMPACT, 1})}, 2, HQ_OK, NULL},
    {{{.n_nodes = 2, .weight = HQ_UNITS}}, 1, HQ_OK, NULL},
    {{{0}}, 0, HQ_EINVAL, "A resource request has to have at least one variant"},
    {{{.weight = HQ_UNITS}}, 1, HQ_EINVAL, "A request has to name at least one resource or node"},
    {{ONE({B("cpus"), POLICY_COMPACT, 0})}, 1, HQ_EINVAL, "Zero resources cannot be requested (resource 'cpus')"},
    {{ONE({B("cpus"), POLICY_ALL, 1})}, 1, HQ_EINVAL, "Resource 'cpus': `all` takes no amount"},
    {{ONE({B("cpus"), 7, 1})}, 1, HQ_EINVAL, "Resource 'cpus' is requested with the unknown policy 7"},
    {{ONE({B("c_s"), POLICY_COMPACT, 1})}, 1, HQ_EINVAL, NULL},
    {{ONE({B("cpus"), POLICY_COMPACT, 42949672960000ull})}, 1, HQ_ELIMIT, NULL},
    {{TWO({B("cpus"), POLICY_SCATTER, 1}, {B("cpus"), POLICY_TIGHT, 5})}, 1, HQ_EINVAL,
     "Resource 'cpus' defined more than once"},
    {{TWO({B("mem"), POLICY_SCATTER, 1}, {B("cpus"), POLICY_TIGHT, 5})}, 1, HQ_EINVAL,
     "Requested resources are not sorted by name: 'cpus'"},
    {{{.entries = (const struct request_entry[]){{B("cpus"), POLICY_COMPACT, 1}}, .n_entries = 1}}, 1, HQ_EINVAL,
     "Resource weight has to be positive number"},
    {{ONE({B("cpus"), POLICY_COMPACT, 1}), {.n_nodes = 1, .weight = 1}}, 2, HQ_EINVAL,
     "Variants for whole nodes and for parts of a node cannot be mixed"},
    {{{.n_nodes = 1, .weight = 1, .n_entries = 1}}, 1, HQ_EINVAL,
     "A request for whole nodes cannot name resources as well"},
    {{{.n_nodes = 1, .weight = 1, .min_time_ms = UINT64_MAX}}, 1, HQ_ELIMIT, NULL},
    {{{.n_nodes = UINT32_MAX, .weight = 1}}, 1, HQ_ELIMIT, NULL},
    {{{.n_entries = HQI_MAX_RESOURCES + 1u, .weight = 1}}, 1, HQ_ELIMIT, NULL},
    {{{0}}, HQI_MAX_VARIANTS + 1u, HQ_ELIMIT, NULL},
};

static void checks_requests(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const struct resource_request r = {requests[i].v, requests[i].n};
        hq_error err = {0};
        int rc = hqi_model_request_check(&r, &err);
        if (rc != requests[i].rc || (requests[i].text && strcmp(err.text, requests[i].text) != 0))
            fail_msg("row %zu: rc %d, %s", i, rc, err.text);
    }
}

static void copies_and_compares(void **state)
{
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < 5; i++) {
        const struct resource_request r = {requests[i].v, requests[i].n};
        struct resource_request copy;
        assert_int_equal(hqi_model_request_copy(&copy, &mem, &r), HQ_OK);
        assert_ptr_not_equal(copy.variants, r.variants);
        for (size_t j = 0; j < 5; j++) {
            const struct resource_request other = {requests[j].v, requests[j].n};
            assert_int_equal(hqi_model_request_equal(&copy, &other), i == j);
            assert_int_equal(hqi_model_request_hash(&copy) == hqi_model_request_hash(&other), i == j);
        }
    }
    hqi_base_arena_fini(&mem);
}

static const struct {
    struct request_entry e;
    const char *text;
} entries[] = {
    {{B("cpus"), POLICY_COMPACT, 10000}, "1 compact"},
    {{B("cpus"), POLICY_COMPACT_FORCED, 5000}, "0.5 compact!"},
    {{B("cpus"), POLICY_TIGHT, 12200}, "1.22 tight"},
    {{B("cpus"), POLICY_TIGHT_FORCED, 25000}, "2.5 tight!"},
    {{B("cpus"), POLICY_SCATTER, 5000123}, "500.0123 scatter"},
    {{B("cpus"), POLICY_SCATTER, 10001}, "1.0001 scatter"},
    {{B("cpus"), POLICY_SCATTER, 10}, "0.001 scatter"},
    {{B("cpus"), POLICY_ALL, 0}, "all"},
    {{B("cpus"), 99, 0}, "0 ?"},
};

static void prints(void **state)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct buf out;
        hqi_base_buf_init(&out, &hqi_base_alloc_libc);
        hqi_model_request_entry_text(&entries[i].e, &out);
        assert_string_equal(out.p, entries[i].text);
        hqi_base_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_requests),
        cmocka_unit_test(copies_and_compares),
        cmocka_unit_test(prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
