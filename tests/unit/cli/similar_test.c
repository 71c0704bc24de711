/* SPDX-License-Identifier: MIT */
/* similar_test.c - likeness of words, and which of several is offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "similar.h"

static void test_jaro(void **state)
{
    static const struct {
        const char *a, *b;
        double want;
    } cases[] = {
        {"", "", 1},           {"", "a", 0},          {"a", "", 0},
        {"same", "same", 1},   {"abc", "xyz", 0},     {"martha", "marhta", 0.944444},
        {"dixon", "dicksonx", 0.766667},              {"submit", "sumbit", 0.944444},
        {"jellyfish", "smellyfish", 0.896296},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = similar_jaro(cases[i].a, cases[i].b);
        assert_true(got > cases[i].want - 1e-6 && got < cases[i].want + 1e-6);
    }
}

static void test_long_words_are_never_similar(void **state)
{
    char word[400];
    for (size_t i = 0; i + 1 < sizeof word; i++)
        word[i] = 'a';
    word[sizeof word - 1] = '\0';
    assert_true(similar_jaro(word, word) == 0);
}

static void test_find(void **state)
{
    static const char *const words[] = {"worker", "waiting", "wait", "weight", "stop"};
    const char *found[5];
    assert_int_equal(similar_find("wating", words, 5, found), 2);
    assert_string_equal(found[1], "waiting");
    assert_int_equal(similar_find("zzz", words, 5, found), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jaro),
        cmocka_unit_test(test_long_words_are_never_similar),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
