/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "host/backlog.h"

static void test_order_and_content(void **state)
{
    struct failing f;
    struct backlog b;
    failing_init(&f, 0);
    hqi_host_backlog_init(&b, &f.alloc);
    assert_null(hqi_host_backlog_first(&b));
    assert_true(hqi_host_backlog_keep(&b, 5, 2, bytes_of("first")));
    assert_true(hqi_host_backlog_keep(&b, 6, 0, (struct bytes){0}));
    struct backlog_frame *frame = hqi_host_backlog_first(&b);
    assert_int_equal(frame->number, 5);
    assert_int_equal(frame->done, 2);
    assert_memory_equal(frame->payload, "first", frame->n);
    hqi_host_backlog_pop(&b);
    assert_int_equal(hqi_host_backlog_first(&b)->number, 6);
    hqi_host_backlog_fini(&b);
    assert_int_equal(f.live, 0);
}

static void test_no_memory(void **state)
{
    struct failing f;
    struct backlog b, never = {0};
    failing_init(&f, 1);
    hqi_host_backlog_init(&b, &f.alloc);
    assert_false(hqi_host_backlog_keep(&b, 1, 0, bytes_of("x")));
    assert_null(hqi_host_backlog_first(&b));
    hqi_host_backlog_fini(&b);
    hqi_host_backlog_fini(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_content),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
