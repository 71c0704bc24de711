/* SPDX-License-Identifier: MIT */
/* load_test.c - what the kernel and the vendors' tools say of a node's load: honest texts, odd ones, and those cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "helper/gpu_tool.h"
#include "helper/load.h"

static const char stat_text[] = "cpu  400 0 200 800 10 0 0 0 0 0\n"
                                "cpu0 100 0 100 300 0 0 0 0 0 0\n"
                                "cpu2 10 20 30 40 50 60 70 80 90 100\n"
                                "cpu7 1 2 3 4\n"
                                "intr 1234 0 0\nctxt 5\n";

static void test_cpus(void **state)
{
    static struct cpu_ticks v[HQI_MAX_LOAD_CPUS];
    assert_int_equal(hqi_helper_load_cpus(v, bytes_of(stat_text)), 3);
    const struct cpu_ticks expected[] = {{0, 200, 500}, {2, 270, 360}, {7, 6, 10}}; /* guests are in user and nice */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(v[i].number, expected[i].number);
        assert_int_equal(v[i].busy, expected[i].busy);
        assert_int_equal(v[i].all, expected[i].all);
    }
    assert_int_equal(hqi_helper_load_cpus(v, bytes_of("cpu0 1 2 3\ncpux 1 2 3 4\ncpu4294967296 1 2 3 4\ncpu\ncpu1\n\n")), 0);
    assert_int_equal(hqi_helper_load_cpus(v, (struct bytes){0}), 0);
}

static void test_more_cpus_than_a_kernel_has(void **state)
{
    static struct cpu_ticks v[HQI_MAX_LOAD_CPUS];
    struct buf text;
    hqi_base_buf_init(&text, &hqi_base_alloc_libc);
    for (unsigned i = 0; i < HQI_MAX_LOAD_CPUS + 10; i++)
        hqi_base_buf_addf(&text, "cpu%u 1 2 3 4\n", i);
    assert_int_equal(hqi_helper_load_cpus(v, hqi_base_buf_bytes(&text)), HQI_MAX_LOAD_CPUS);
    hqi_base_buf_fini(&text);
}

/* By their numbers: cpus may come and go. */
static void test_shares(void **state)
{
    const struct cpu_ticks before[] = {{0, 100, 1000}, {1, 50, 100}, {3, 10, 20}, {4, 9, 9}};
    const struct cpu_ticks now[] = {{0, 150, 1100}, {2, 25, 100}, {3, 5, 30}, {4, 9, 9}, {5, 0, 0}};
    uint32_t shares[5];
    hqi_helper_load_shares(shares, now, 5, before, 4);
    const uint32_t expected[] = {5000, 2500, 0, 0, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(shares[i], expected[i]);
    hqi_helper_load_shares(shares, (struct cpu_ticks[]){{0, 150, 110}}, 1, (struct cpu_ticks[]){{0, 0, 100}}, 1);
    assert_int_equal(shares[0], HQI_LOAD_WHOLE);
}

static void test_memory(void **state)
{
    static const struct {
        const char *text;
        bool known;
        uint64_t total, free;
    } cases[] = {
        {"MemTotal:        2048 kB\nMemFree:   1 kB\nMemAvailable:  1024 kB\n", true, 2097152, 1048576},
        {"MemTotal: 2048 kB\nMemFree: 1 kB\n", true, 2097152, 1024},
        {"MemFree: 1 kB\n", false, 0, 0},
        {"MemTotal: x kB\nMemFree: 1 kB\n", false, 0, 0},
        {"MemTotal: 18446744073709551615 kB\nMemFree: 1 kB\n", false, 0, 0},
        {"MemTotal: 99999999999999999999999 kB\nMemFree: 1 kB\n", false, 0, 0},
        {"", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node_load l = {0};
        assert_int_equal(hqi_helper_load_memory(&l, bytes_of(cases[i].text)), cases[i].known);
        assert_int_equal(l.memory_total, cases[i].total);
        assert_int_equal(l.memory_free, cases[i].free);
    }
}

static void test_network(void **state)
{
    const char *text = "Inter-|   Receive                                                |  Transmit\n"
                       " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls\n"
                       "    lo:     100      10    1    0    0     0          0         0      200      20    2    0    0     0\n"
                       "  eth0:1000 100 10 0 0 0 0 0 2000 200 20 0 0 0 0 0\n"
                       "  eth1: 1 2 3\n";
    struct network_load l;
    assert_true(hqi_helper_load_network(&l, bytes_of(text)));
    const struct network_load expected = {1100, 2200, 110, 220, 11, 22};
    assert_memory_equal(&l, &expected, sizeof l);
    assert_false(hqi_helper_load_network(&l, bytes_of("eth0 1 2 3")));
    assert_int_equal(l.rx_bytes, 0);
}

/* ---- tools ---- */

struct gpu_case {
    enum gpu_family family;
    const char *text;
    int code;
    const char *gpus; /* "id busy memory;" for each */
};

static const struct gpu_case gpu_cases[] = {
    {GPU_NVIDIA, "00000000:01:00.0, 45 %, 1024 MiB, 4 GiB\n00000000:02:00.0, 0 %, 1 KiB, 2 KiB\n", HQ_OK,
     "00000000:01:00.0 4500 2500;00000000:02:00.0 0 5000;"},
    {GPU_NVIDIA, "", HQ_OK, ""},
    {GPU_NVIDIA, "\n  \n", HQ_OK, ""},
    {GPU_NVIDIA, "id, [N/A], [N/A], 80 GiB\n", HQ_OK, "id 0 0;"},
    {GPU_NVIDIA, "id, 200 %, 9 GiB, 8 GiB\r\n", HQ_OK, "id 10000 10000;"},
    {GPU_NVIDIA, "id, 12.345 %, 1 TiB, 2 TiB", HQ_OK, "id 1235 0;"},
    {GPU_NVIDIA, "id, -5 %, 1 MiB, 0 MiB", HQ_OK, "id 0 0;"},
    {GPU_NVIDIA, "id, 99999999999999999999 %, 1 MiB", HQ_OK, "id 0 0;"},
    {GPU_NVIDIA, "just a line", HQ_OK, "just a line 0 0;"},
    {GPU_NVIDIA, "a\x01\x7f, 1 %", HQ_OK, "a?? 100 0;"},
    {GPU_AMD,
     "{\"card1\": {\"GPU use (%)\": \"7\", \"GPU memory use (%)\": \"50\", \"PCI Bus\": \"0000:C1:00.0\"},"
     " \"card0\": {\"GPU use (%)\": \"x\", \"PCI Bus\": \"0000:C0:00.0\"}, \"card10\": {},"
     " \"system\": {\"Driver version\": \"6\"}, \"card2\": 5}\n",
     HQ_OK, "0000:C0:00.0 0 0;0000:C1:00.0 700 5000; 0 0;"},
    {GPU_AMD, "{\"card0\": {\"GPU use (%)\": \"1\", \"GPU Memory Allocated (VRAM%)\": \"2\", \"PCI Bus\": \"b\"}}", HQ_OK, "b 100 200;"},
    {GPU_AMD, "{\"card0\": {\"GPU use (%)\": 1, \"PCI Bus\": null}}", HQ_OK, " 0 0;"},
    {GPU_AMD, "{}", HQ_OK, ""},
    {GPU_AMD, "", HQ_EINVAL, NULL},
    {GPU_AMD, "[]", HQ_EINVAL, NULL},
    {GPU_AMD, "{\"card0\":", HQ_EINVAL, NULL},
    {GPU_AMD, "ERROR: no driver", HQ_EINVAL, NULL},
};

static void test_gpus(void **state)
{
    for (size_t i = 0; i < sizeof gpu_cases / sizeof *gpu_cases; i++) {
        const struct gpu_case *c = &gpu_cases[i];
        struct gpu_loads loads = {0};
        struct arena mem;
        struct buf out;
        hq_error err;
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
        hqi_base_buf_init(&out, &hqi_base_alloc_libc);
        assert_int_equal(hqi_helper_gpu_tools[c->family].read(&loads, &mem, bytes_of(c->text), &err), c->code);
        if (c->gpus) {
            assert_true(loads.known);
            for (uint32_t k = 0; k < loads.n; k++)
                hqi_base_buf_addf(&out, "%.*s %u %u;", (int)loads.items[k].id.n, loads.items[k].id.p, loads.items[k].busy,
                                  loads.items[k].memory);
            assert_string_equal(out.p ? out.p : "", c->gpus);
        }
        hqi_base_buf_fini(&out);
        hqi_base_arena_fini(&mem);
    }
}

static void test_too_many_gpus(void **state)
{
    static const char *const around[GPU_FAMILIES][2] = {{"", ""}, {"{\"x\":{}", "}"}};
    for (int family = 0; family < GPU_FAMILIES; family++)
        for (unsigned n = HQI_MAX_LOAD_GPUS; n <= HQI_MAX_LOAD_GPUS + 1; n++) {
            struct gpu_loads loads = {0};
            struct arena mem;
            struct buf text;
            hq_error err;
            hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
            hqi_base_buf_init(&text, &hqi_base_alloc_libc);
            hqi_base_buf_adds(&text, around[family][0]);
            for (unsigned i = 0; i < n; i++)
                if (family == GPU_NVIDIA)
                    hqi_base_buf_adds(&text, "id, 1 %, 1 MiB, 2 MiB\n");
                else
                    hqi_base_buf_addf(&text, ",\"card%u\":{}", i);
            hqi_base_buf_adds(&text, around[family][1]);
            int r = hqi_helper_gpu_tools[family].read(&loads, &mem, hqi_base_buf_bytes(&text), &err);
            assert_int_equal(r, n == HQI_MAX_LOAD_GPUS ? HQ_OK : HQ_ELIMIT);
            hqi_base_buf_fini(&text);
            hqi_base_arena_fini(&mem);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus),    cmocka_unit_test(test_more_cpus_than_a_kernel_has),
        cmocka_unit_test(test_shares),  cmocka_unit_test(test_memory),
        cmocka_unit_test(test_network), cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_too_many_gpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
