/* SPDX-License-Identifier: MIT */
/* resource_def_test.c - lib/text/resource_def.c: definitions, their pictures, and failing memory. */
#include "parse_case.h"

#include "../failing_alloc.h"
#include "text/resource_def.h"

static void print_labels(const struct resource_def *d, uint32_t from, uint32_t n, struct buf *out)
{
    hqi_base_buf_addc(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            hqi_base_buf_addc(out, '|');
        hqi_base_buf_add(out, d->labels[from + i].p, d->labels[from + i].n);
    }
    hqi_base_buf_addc(out, ']');
}

static void print(const struct resource_def *d, struct buf *out)
{
    hqi_base_buf_add(out, d->name.p, d->name.n);
    hqi_base_buf_addc(out, '=');
    switch (d->kind) {
    case RESOURCE_LIST:
        print_labels(d, 0, d->n_labels, out);
        break;
    case RESOURCE_GROUPS:
        for (uint32_t g = 0, at = 0; g < d->n_groups; at += d->group_sizes[g++])
            print_labels(d, at, d->group_sizes[g], out);
        break;
    case RESOURCE_RANGE:
        hqi_base_buf_addf(out, "%u-%u", d->start, d->end);
        break;
    case RESOURCE_SUM:
        hqi_base_buf_adds(out, "sum ");
        hqi_model_amount_text(d->sum, out);
        break;
    }
}

static int parse(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct resource_def d;
    int rc = hqi_text_resource_def_parse(&d, &b->mem, in, why);
    if (rc >= 0)
        print(&d, &b->out);
    return rc;
}

static int parse_cpus(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct resource_def d;
    int rc = hqi_text_resource_def_parse_cpus(&d, &b->mem, in, why);
    if (rc >= 0)
        print(&d, &b->out);
    return rc;
}

static const struct parse_case defs[] = {
    {"cpus=2x3", "cpus=[0|1|2][3|4|5]", NULL, 0},
    {"cpus=1x4", "cpus=0-3", NULL, 0},
    {"cpus=[[5, 7, 123]]", "cpus=[5|7|123]", NULL, 0},
    {"cpus=[ [ 0 ] , [7] , [123 , 200] ]", "cpus=[0][7][123|200]", NULL, 0},
    {"  mem  =  [  1  ] ", "mem=[1]", NULL, 0},
    {"a=[\"x,y\", z]", "a=[x,y|z]", NULL, 0},
    {"a=[\"[\"]", "a=[[]", NULL, 0},
    {"gpu=range(10-123)", "gpu=10-123", NULL, 0},
    {"gpu = range ( 10 - 123 )", "gpu=10-123", NULL, 0},
    {"gpu=range(7-7)", "gpu=7-7", NULL, 0},
    {"mem=sum(1_000)", "mem=sum 1000", NULL, 0},
    {"mem=sum(1.5)", "mem=sum 1.5", NULL, 0},
    {"foo=sum(0)", "foo=sum 0", NULL, 0},
    {"cpus=sum(1)", "cpus=sum 1", NULL, 0},
    {"x=[a/b,c-d,\xc3\xa9]", "x=[a/b|c-d|\xc3\xa9]", NULL, 0},
    {"x=[[1],[1]]", "x=[1][1]", NULL, 0}, /* refused later, with all resources known */
    {"x=1", NULL, "Unexpected end of input", 0},
    {"x=foo", NULL, "Unexpected token `foo`", 0},
    {"x=", NULL, NULL, 0},
    {"x=sum", NULL, NULL, 0},
    {"x=sum()", NULL, "Unexpected token `)`", 0},
    {"x=sum(1.00001)", NULL, "Resource precision exceeded", 0},
    {"x=range(5)", NULL, NULL, 0},
    {"x=range(5-3)", NULL, "Start must be greater or equal to end", 0},
    {"x=range(1-4294967296)", NULL, "Cannot parse as 4-byte unsigned integer", 0},
    {"x=[]", NULL, "List has to contain at least a single element", 0},
    {"x=[[1],[]]", NULL, "Each group has to contain at least a single element", 0},
    {"x=[[]]", NULL, "Each group has to contain at least a single element", 0},
    {"x=[[1,1]]", NULL, "Group items have to be unique", 0},
    {"x=[1,1]", NULL, "List items have to be unique", 0},
    {"x=[1,\"1\"]", NULL, "List items have to be unique", 0},
    {"mem=[1,2,1]", NULL,
     "while attempting to parse resource kind, expected something else:\n"
     "  mem=[1,2,1]\n      |\n      --- List items have to be unique\n", 0},
    {"1x=[1]", NULL, NULL, 0},
    {"x=[1", NULL, "Unexpected end of input", 0},
    {"x=[1,", NULL, NULL, 0},
    {"x=[1,]", NULL, "Unexpected token `]`", 0},
    {"x=[,1]", NULL, NULL, 0},
    {"x=[1 2]", NULL, "Unexpected token `2`", 0},
    {"x=[\"1]", NULL, NULL, 0},
    {"x=[\"", NULL, NULL, 0},
    {"x=[[1],2]", NULL, NULL, 0},
    {"x=[[1]", NULL, NULL, 0},
    {"x=[[1],[2]", NULL, NULL, 0},
    {"x=[1]]", NULL, NULL, 0},
    {"x=2 x 3", NULL, NULL, 0},
    {"x=0x3", NULL, "There has to be at least a single group", 0},
    {"x=3x0", NULL, "Each group has to contain at least a single element", 0},
    {"x=256x257", NULL, "More than 65536 labels", HQ_ELIMIT},
    {"x=4294967295x4294967295", NULL, "More than 65536 labels", HQ_ELIMIT},
    {"gpus=[0],gpus=[1]", NULL,
     "Unexpected token found, expected <end of input>:\n"
     "  gpus=[0],gpus=[1]\n          |\n          --- Unexpected token `,`\n", 0},
    {"foo", NULL,
     "Unexpected end of input found while attempting to parse resource name, expected =:\n"
     "  foo\n     |\n     --- Unexpected end of input\n", 0},
    {"foo=", NULL,
     "Unexpected end of input found while attempting to parse number, expected [ or range or sum:\n"
     "  foo=\n      |\n      --- Unexpected end of input\n", 0},
    {"foo=range(5-1)", NULL,
     "Unexpected end of input found while attempting to parse resource kind, expected something else:\n"
     "  foo=range(5-1)\n      |\n      --- Start must be greater or equal to end\n", 0},
    {"foo=sum(-1)", NULL,
     "Unexpected token found while attempting to parse number, expected something else:\n"
     "  foo=sum(-1)\n          |\n          --- Unexpected token `-`\n", 0},
    {"a b=sum(1)", NULL,
     "Unexpected token found while attempting to parse resource definition, expected =:\n"
     "  a b=sum(1)\n    |\n    --- Unexpected token `b`\n", 0},
    {"1a=sum(1)", NULL,
     "Unexpected token found while attempting to parse resource name, expected identifier:\n"
     "  1a=sum(1)\n  |\n  --- Unexpected token `1`\n", 0},
    {"", NULL, "(the input was empty)", 0},
};

static const struct parse_case cpus[] = {
    {"4", "cpus=0-3", NULL, 0},
    {"1_0", "cpus=0-9", NULL, 0},
    {"[0, 5, 7]", "cpus=[0|5|7]", NULL, 0},
    {"2x4", "cpus=[0|1|2|3][4|5|6|7]", NULL, 0},
    {"range(2-3)", "cpus=2-3", NULL, 0},
    {"sum(4)", "cpus=sum 4", NULL, 0},
    {"0", "cpus=sum 0", NULL, 0},
    {"4x", NULL, NULL, 0},
    {"4.5", NULL, NULL, 0},
    {"-1", NULL,
     "Unexpected token found while attempting to parse number, expected [ or range or sum:\n"
     "  -1\n  |\n  --- Unexpected token `-`\n", 0},
    {"abc", NULL,
     "Unexpected token found while attempting to parse resource kind, expected range or sum:\n"
     "  abc\n  |\n  --- Unexpected token `abc`\n", 0},
    {"[]", NULL,
     "Unexpected end of input found while attempting to parse resource kind, expected something else:\n"
     "  []\n  |\n  --- List has to contain at least a single element\n", 0},
    {"[1,1]", NULL,
     "Unexpected end of input found while attempting to parse resource kind, expected something else:\n"
     "  [1,1]\n  |\n  --- List items have to be unique\n", 0},
};

static void parses_definitions(void **state)
{
    CHECK_CASES(defs, parse);
    CHECK_CASES(cpus, parse_cpus);
}

static void limits_labels(void **state)
{
    struct parse_bench b;
    struct buf in;
    struct resource_def d;
    bench_init(&b);
    hqi_base_buf_init(&in, &hqi_base_alloc_libc);
    hqi_base_buf_adds(&in, "x=[0");
    for (uint32_t i = 1; i < 65536; i++)
        hqi_base_buf_addf(&in, ",%u", i);
    hqi_base_buf_addc(&in, ']');
    assert_int_equal(hqi_text_resource_def_parse(&d, &b.mem, hqi_base_buf_bytes(&in), NULL), HQ_OK);
    assert_int_equal(d.n_labels, 65536);
    in.p[in.n - 1] = ',';
    hqi_base_buf_adds(&in, "65536]");
    assert_int_equal(hqi_text_resource_def_parse(&d, &b.mem, hqi_base_buf_bytes(&in), &b.why), HQ_ELIMIT);
    assert_non_null(strstr(b.why.p, "More than 65536 labels"));
    hqi_base_buf_fini(&in);
    bench_fini(&b);
}

static void survives_failing_memory(void **state)
{
    static const char *const inputs[] = {"x=[1,2,3]", "x=[[1,2],[3]]", "x=300x200", "x=sum(1)"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t at = 1;; at++) {
            struct failing f;
            struct arena mem;
            struct resource_def d;
            failing_init(&f, at);
            hqi_base_arena_init(&mem, &f.alloc);
            int rc = hqi_text_resource_def_parse(&d, &mem, bytes_of(inputs[i]), NULL);
            hqi_base_arena_fini(&mem);
            assert_int_equal(rc, f.hit ? HQ_ENOMEM : HQ_OK);
            assert_int_equal(f.live, 0);
            if (!f.hit)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_definitions),
        cmocka_unit_test(limits_labels),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
