/* SPDX-License-Identifier: MIT */
/* stdio_spec_test.c - lib/text/stdio.c. */
#include "parse_case.h"

#include "text/stdio_spec.h"

static int parse(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct stdio_spec io;
    int rc = hqi_text_stdio_spec_parse(&io, &b->mem, in, why);
    if (rc < 0)
        return rc;
    hqi_base_buf_addf(&b->out, "%s<%.*s>%s", io.kind == STDIO_NONE ? "none" : "file", (int)io.path.n, io.path.p,
                      io.rm_if_finished ? " rm" : "");
    return rc;
}

static const struct parse_case cases[] = {
    {"none", "none<>", NULL, 0},
    {"a/b.txt", "file<a/b.txt>", NULL, 0},
    {" a b ", "file<a b>", NULL, 0},
    {"a/b.txt:rm-if-finished", "file<a/b.txt> rm", NULL, 0},
    {":rm-if-finished", "file<> rm", NULL, 0},
    {"  :rm-if-finished", "file<> rm", NULL, 0},
    {"%{CWD}/%{TASK_ID}", "file<%{CWD}/%{TASK_ID}>", NULL, 0},
    {"None", "file<None>", NULL, 0},
    {"", NULL, "Cannot parse stream: Unexpected end of input", 0},
    {" ", NULL, "Input cannot be empty", 0},
    {":", NULL, NULL, 0},
    {"a:", NULL, "  a:\n    |\n    --- Unexpected end of input\n", 0},
    {"a:none", NULL, NULL, 0},
    {"a:rm", NULL, "expected -:", 0},
    {"a:rm-if-finished ", NULL, NULL, 0},
    {"a:rm-if-finishedx", NULL, "expected <end of input>:", 0},
    {"a:b:c", NULL, NULL, 0},
    {"foo:bar", NULL,
     "Cannot parse stream: Unexpected token found while attempting to parse rm-if-finished, expected r:\n"
     "  foo:bar\n      |\n      --- Unexpected token `b`\n", 0},
};

static void parses_outputs(void **state)
{
    CHECK_CASES(cases, parse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses_outputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
