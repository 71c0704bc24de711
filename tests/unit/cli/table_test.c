/* SPDX-License-Identifier: MIT */
/* table_test.c - tables, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table.h"

static const struct cli plain = {0}, colored = {.color = true};

static void check(struct table *t, const char *want)
{
    struct str out = {0};
    table_render(t, &out);
    assert_string_equal(str_text(&out), want);
    str_free(&out);
    table_free(t);
}

static void test_horizontal(void **state)
{
    static const char *const headers[] = {"ID", "Name", "State", "Tasks", NULL};
    static const char *const cells[] = {"1", "sleep", "FINISHED", "1", "*2", "job", "OPENED", "0"};
    struct table t;
    table_init(&t, &plain, headers);
    t.right[0] = true;
    for (size_t i = 0; i < 8; i++)
        table_add(&t, cells[i]);
    check(&t, "+----+-------+----------+-------+\n"
              "| ID | Name  | State    | Tasks |\n"
              "+----+-------+----------+-------+\n"
              "|  1 | sleep | FINISHED | 1     |\n"
              "| *2 | job   | OPENED   | 0     |\n"
              "+----+-------+----------+-------+\n");
}

static void test_empty(void **state)
{
    static const char *const headers[] = {"ID", "Name", "State", "Tasks", NULL};
    struct table t;
    table_init(&t, &plain, headers);
    check(&t, "+----+------+-------+-------+\n"
              "| ID | Name | State | Tasks |\n"
              "+----+------+-------+-------+\n");
}

static void test_vertical(void **state)
{
    struct table t;
    table_init(&t, &plain, NULL);
    table_key(&t, "Server UID", "aB3dE9");
    table_key(&t, "Client host", "node1");
    check(&t, "+-------------+--------+\n"
              "| Server UID  | aB3dE9 |\n"
              "| Client host | node1  |\n"
              "+-------------+--------+\n");
}

static void test_lines(void **state)
{
    struct table t;
    table_init(&t, &plain, NULL);
    table_key(&t, "Command", "bash\n-c\n");
    table_key(&t, "Empty", "");
    table_key(&t, "Gap", "a\n\nb");
    check(&t, "+---------+------+\n"
              "| Command | bash |\n"
              "|         | -c   |\n"
              "| Empty   |      |\n"
              "| Gap     | a    |\n"
              "|         |      |\n"
              "|         | b    |\n"
              "+---------+------+\n");
}

static void test_wide_and_unsafe(void **state)
{
    struct table t;
    table_init(&t, &plain, NULL);
    table_key(&t, "é", "…");
    table_key(&t, "日", "\x1b[2J");
    check(&t, "+----+---------+\n"
              "| é  | …       |\n"
              "| 日 | \\x1b[2J |\n"
              "+----+---------+\n");
}

static void test_colors(void **state)
{
    static const char *const headers[] = {"A", NULL};
    struct table t;
    table_init(&t, &colored, headers);
    table_add_styled(&t, STYLE_RED, "x\nyy");
    check(&t, "+----+\n"
              "| \x1b[1mA\x1b[0m  |\n"
              "+----+\n"
              "| \x1b[31mx\x1b[0m  |\n"
              "| \x1b[31myy\x1b[0m |\n"
              "+----+\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_horizontal), cmocka_unit_test(test_empty),           cmocka_unit_test(test_vertical),
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_wide_and_unsafe), cmocka_unit_test(test_colors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
