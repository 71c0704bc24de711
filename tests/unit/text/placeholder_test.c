/* SPDX-License-Identifier: MIT */
/* placeholder_test.c - lib/text/placeholder.c. */
#include "parse_case.h"

#include "text/placeholder.h"

static const struct placeholder table[] = {
    {"JOB_ID", {"5", 1}},
    {"CWD", {"/%{JOB_ID}", 10}},
    {"NONE", {NULL, 0}},
};

static const struct {
    const char *in, *out;
    const char *names; /* of all placeholders */
} rows[] = {
    {"", "", ""},
    {"plain", "plain", ""},
    {"%{JOB_ID}", "5", "JOB_ID "},
    {"a%{JOB_ID}b%{JOB_ID}", "a5b5", "JOB_ID JOB_ID "},
    {"%{CWD}/x", "/%{JOB_ID}/x", "CWD "}, /* one pass */
    {"[%{NONE}]", "[]", "NONE "},
    {"%{TASK_ID}.%{JOB_ID}", "%{TASK_ID}.5", "TASK_ID JOB_ID "},
    {"%{job_id}", "%{job_id}", "job_id "},
    {"%{ JOB_ID }", "%{ JOB_ID }", " JOB_ID  "},
    {"%{}", "%{}", " "},
    {"100%/%{JOB_ID}", "100%/5", "JOB_ID "},
    {"%%{JOB_ID}", "%5", "JOB_ID "},
    {"%{%{JOB_ID}", "%{5", "JOB_ID "},
    {"%{a%{JOB_ID}", "%{a5", "JOB_ID "},
    {"%{a{JOB_ID}", "%{a{JOB_ID}", ""},
    {"%{JOB_ID", "%{JOB_ID", ""},
    {"%{", "%{", ""},
    {"%", "%", ""},
    {"{JOB_ID}", "{JOB_ID}", ""},
    {"%{JOB_ID}%", "5%", "JOB_ID "},
    {"%{JOB_ID}}", "5}", "JOB_ID "},
};

static void expands(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct parse_bench b;
        struct bytes in = bytes_of(rows[i].in), name;
        bench_init(&b);
        assert_true(hqi_text_placeholder_expand(in, table, 3, 100, &b.out));
        assert_string_equal(b.out.p ? b.out.p : "", rows[i].out);
        hqi_base_buf_clear(&b.out);
        for (size_t at = 0; hqi_text_placeholder_next(in, &at, &name);)
            hqi_base_buf_addf(&b.out, "%.*s ", (int)name.n, name.p);
        assert_string_equal(b.out.n ? b.out.p : "", rows[i].names);
        assert_int_equal(hqi_text_placeholder_has(in, NULL), rows[i].names[0] != '\0');
        assert_int_equal(hqi_text_placeholder_has(in, "JOB_ID"), strstr(rows[i].names, "JOB_ID ") == rows[i].names ||
                                                                     strstr(rows[i].names, " JOB_ID ") > rows[i].names);
        bench_fini(&b);
    }
}

static void bounds_its_result(void **state)
{
    static const struct {
        const char *in;
        size_t max;
        bool fits;
    } limits[] = {
        {"abc", 3, true}, {"abc", 2, false}, {"%{CWD}", 10, true}, {"%{CWD}", 9, false}, {"a%{CWD}b", 12, true},
        {"a%{CWD}b", 11, false}, {"", 0, true}, {"%{NONE}", 0, true}, {"%{CWD}%{CWD}%{CWD}", 29, false},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct parse_bench b;
        bench_init(&b);
        hqi_base_buf_adds(&b.out, "before");
        assert_int_equal(hqi_text_placeholder_expand(bytes_of(limits[i].in), table, 3, limits[i].max, &b.out),
                         limits[i].fits);
        assert_true(b.out.n <= 6 + limits[i].max);
        bench_fini(&b);
    }
}

static void knows_the_six(void **state)
{
    static const char *const names[] = {"JOB_ID", "TASK_ID", "INSTANCE_ID", "SUBMIT_DIR", "CWD", "SERVER_UID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(hqi_text_placeholder_is_known(bytes_of(names[i])));
    assert_false(hqi_text_placeholder_is_known(bytes_of("cwd")));
    assert_false(hqi_text_placeholder_is_known(bytes_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(bounds_its_result),
        cmocka_unit_test(knows_the_six),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
