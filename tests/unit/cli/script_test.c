/* SPDX-License-Identifier: MIT */
/* script_test.c - the head of a script: interpreter, quoting, directives that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "script.h"

static const struct {
    const char *head;
    bool good;
    const char *words; /* of the interpreter, joined by '|' */
} heads[] = {
    {"", true, ""},
    {"echo hi\n", true, ""},
    {"#!/bin/bash\necho\n", true, "/bin/bash"},
    {"#!/bin/bash", true, "/bin/bash"},
    {"#!/bin/bash\r\necho\r\n", true, "/bin/bash"},
    {"#!/bin/bash -l \"a b\"\n\n# text\necho\n", true, "/bin/bash|-l|a b"},
    {"#! /usr/bin/env python3\n", true, "/usr/bin/env|python3"},
    {"\n#!/bin/bash\n", true, ""},
    {"#!/bin/bash \"x\n", false, ""},
    {"#!/bin/bash\n#HQ --cpus=2\n", false, ""},
    {"# text\n\n   #HQ --name x\n", false, ""},
    {"#HQ\n", true, ""},
    {"#HQ \n", true, ""},
    {"#HQ    \r\n", true, ""},
    {"#HQ\t--cpus=2\n", true, ""},
    {"#HQX --cpus=2\n", true, ""},
    {"echo hi\n#HQ --wait\n", true, ""},
};

static void test_heads(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct words words;
        struct str why = {0}, joined = {0};
        assert_int_equal(script_parse(heads[i].head, strlen(heads[i].head), &words, &why), heads[i].good);
        assert_int_equal(why.len == 0, heads[i].good);
        for (size_t j = 0; j < words.n; j++)
            str_addf(&joined, "%s%s", j ? "|" : "", words.p[j]);
        assert_string_equal(str_text(&joined), heads[i].words);
        str_free(&why);
        str_free(&joined);
        words_free(&words);
    }
}

static void test_split(void **state)
{
    static const struct {
        const char *text, *words;
        bool good;
    } cases[] = {
        {"", "", true},
        {"  a\t b ", "a|b", true},
        {"key=\"a b\"", "key=a b", true},
        {"\"a\"\"b\"", "ab", true},
        {"\"\"", "", true},
        {"a\\ b", "a\\ b", true},
        {"\"a\\\"b\"", "a\\\"b", true},
        {"'a b'", "'a|b'", true},
        {"\"a", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct words words;
        struct str joined = {0};
        assert_int_equal(words_split(&words, cases[i].text, strlen(cases[i].text)), cases[i].good);
        for (size_t j = 0; j < words.n; j++)
            str_addf(&joined, "%s%s", j ? "|" : "", words.p[j]);
        assert_string_equal(str_text(&joined), cases[i].words);
        str_free(&joined);
        words_free(&words);
    }
}

static void test_is_script(void **state)
{
    assert_true(script_is("a.sh"));
    assert_true(script_is(".sh"));
    assert_false(script_is("sh"));
    assert_false(script_is("a.sh.txt"));
}

static void test_missing(void **state)
{
    struct words words;
    struct str why = {0};
    assert_false(script_read("/nonexistent/x.sh", &words, &why));
    assert_string_equal(why.p, "No such file or directory (os error 2)");
    str_free(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads), cmocka_unit_test(test_split),
                                       cmocka_unit_test(test_is_script), cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
