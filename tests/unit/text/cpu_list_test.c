/* SPDX-License-Identifier: MIT */
/* cpu_list_test.c - lib/text/cpu_list.c. */
#include "parse_case.h"

#include "text/array.h"
#include "text/cpu_list.h"

static const struct parse_case cases[] = {
    {"10", "10", NULL, 0},
    {"0-3\n", "0-3", NULL, 0},
    {"2,7, 10", "2,7,10", NULL, 0},
    {"2-7,10-12,20", "2-7,10-12,20", NULL, 0},
    {"xx", NULL, NULL, 0},
    {"-", NULL, NULL, 0},
    {"-2", NULL, NULL, 0},
    {"0-1-2", NULL, NULL, 0},
    {",,", NULL, NULL, 0},
    {"1,", NULL, NULL, 0},
    {"3-1", NULL, NULL, 0},
    {"\n", NULL, NULL, 0},
    {"", NULL, NULL, 0},
    {"4294967296", NULL, NULL, 0},
    {"0-4294967295", NULL, NULL, HQ_ELIMIT},
};

static void parses_lists(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parse_bench b;
        const hq_range *v;
        uint32_t n;
        bench_init(&b);
        int rc = hqi_text_cpu_list_parse(&v, &n, &b.mem, bytes_of(cases[i].in));
        if (rc != (cases[i].out ? HQ_OK : cases[i].rc ? cases[i].rc : HQ_EINVAL))
            fail_msg("`%s`: rc %d", cases[i].in, rc);
        if (rc == HQ_OK) {
            hqi_text_array_print(v, n, &b.out);
            assert_string_equal(b.out.p, cases[i].out);
        }
        bench_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
