/* SPDX-License-Identifier: MIT */
/* pace_test.c - acknowledgements leave in time, round trips are timed one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/pace.h"

static void time_one(struct pace *p, uint64_t number, uint64_t at_ns, uint64_t took_ns)
{
    hqi_net_pace_handed(p, number, at_ns);
    hqi_net_pace_acked(p, number, at_ns + took_ns);
}

static void test_rtt(void **state)
{
    struct pace p = {0};
    hqi_net_pace_acked(&p, 9, 50); /* nothing is timed */
    assert_int_equal(p.rtt_ns, 0);
    hqi_net_pace_handed(&p, 3, 100);
    hqi_net_pace_handed(&p, 4, 150); /* 3 still is */
    hqi_net_pace_acked(&p, 2, 180);
    assert_int_equal(p.rtt_ns, 0);
    hqi_net_pace_acked(&p, 4, 900);
    assert_int_equal(p.rtt_ns, 800);
    time_one(&p, 5, 1000, 1600);
    assert_int_equal(p.rtt_ns, 800); /* the shortest counts: a queue on the way is no distance */
    time_one(&p, 6, 3000, 100);
    assert_int_equal(p.rtt_ns, 100);
}

static void test_a_longer_way_is_believed_in_the_end(void **state)
{
    struct pace p = {0};
    uint64_t number = 1;
    time_one(&p, number++, 0, 100);
    for (uint64_t at = HQI_SEC; at < 5 * HQI_SEC; at += HQI_SEC)
        time_one(&p, number++, at, 900);
    assert_int_equal(p.rtt_ns, 100);
    for (uint64_t at = 5 * HQI_SEC; at < 12 * HQI_SEC; at += HQI_SEC)
        time_one(&p, number++, at, 900);
    assert_int_equal(p.rtt_ns, 900);
}

static void test_rtt_of_a_cut_connection_counts_not(void **state)
{
    struct pace p = {0};
    hqi_net_pace_handed(&p, 1, 100);
    hqi_net_pace_cut(&p);
    hqi_net_pace_acked(&p, 1, 900);
    assert_int_equal(p.rtt_ns, 0);
}

static void test_rtt_is_never_unknown_again(void **state)
{
    struct pace p = {0};
    hqi_net_pace_handed(&p, 1, 100);
    hqi_net_pace_acked(&p, 1, 100); /* within one tick of the clock */
    assert_int_equal(p.rtt_ns, 1);
}

static void test_urgent(void **state)
{
    struct pace p = {0};
    struct session s = {.received = 1000};
    for (unsigned i = 0; i < HQI_NET_ACK_FRAMES; i++)
        hqi_net_pace_came(&p, 10);
    assert_false(hqi_net_pace_urgent(&p, &s)); /* nothing is safe yet */
    s.safe = 1;
    assert_true(hqi_net_pace_owes(&s));
    assert_true(hqi_net_pace_urgent(&p, &s));
    hqi_net_pace_told(&p);
    assert_true(hqi_net_pace_owes(&s));
    assert_false(hqi_net_pace_urgent(&p, &s));
    hqi_net_pace_came(&p, HQI_NET_ACK_BYTES);
    assert_true(hqi_net_pace_urgent(&p, &s));
    s.told = 1;
    assert_false(hqi_net_pace_owes(&s));
    assert_false(hqi_net_pace_urgent(&p, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rtt),
        cmocka_unit_test(test_a_longer_way_is_believed_in_the_end),
        cmocka_unit_test(test_rtt_of_a_cut_connection_counts_not),
        cmocka_unit_test(test_rtt_is_never_unknown_again),
        cmocka_unit_test(test_urgent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
