/* SPDX-License-Identifier: MIT */
/* list_test.c - order and unlinking of lib/base/list.h, and the comparisons of bytes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/list.h"

struct item {
    char name;
    struct list link;
};

static void assert_order(struct list *head, const char *names)
{
    list_for(it, head)
        assert_int_equal(hqi_container(it, struct item, link)->name, *names++);
    assert_int_equal(*names, '\0');
}

static void keeps_order(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop_front(&head));
    list_push_back(&head, &b.link);
    list_push_back(&head, &d.link);
    list_push_front(&head, &a.link);
    list_insert_before(&d.link, &c.link);
    assert_order(&head, "abcd");
    list_unlink(&c.link);
    list_unlink(&c.link); /* twice is harmless */
    assert_order(&head, "abd");
    assert_ptr_equal(list_pop_front(&head), &a.link);
    list_for_safe(it, next, &head)
        list_unlink(it);
    assert_true(list_empty(&head));
}

static void bytes_compare_as_memcmp(void **state)
{
    static const struct {
        struct bytes a, b;
        int order;
    } cases[] = {
        {{NULL, 0}, {"", 0}, 0},   {{"a", 1}, {"a", 1}, 0},    {{"a", 1}, {"b", 1}, -1},
        {{"a", 1}, {"ab", 2}, -1}, {{"\xff", 1}, {"a", 1}, 1}, {{"a\0b", 3}, {"a\0a", 3}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int c = bytes_compare(cases[i].a, cases[i].b), r = bytes_compare(cases[i].b, cases[i].a);
        assert_int_equal((c > 0) - (c < 0), cases[i].order);
        assert_int_equal((r > 0) - (r < 0), -cases[i].order);
        assert_int_equal(bytes_equal(cases[i].a, cases[i].b), cases[i].order == 0);
    }
    assert_true(bytes_is(bytes_of("x"), "x"));
    assert_false(bytes_is(bytes_of(NULL), "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(bytes_compare_as_memcmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
