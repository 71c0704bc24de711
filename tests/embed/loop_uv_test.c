/* SPDX-License-Identifier: MIT */
/* loop_uv_test.c - a host whose loop is libuv's. */
#include "burst.h"

#include <uv.h>

struct watched {
    uv_poll_t poll; /* first: libuv hands it back */
    struct burst *burst;
    int ctx;
};

static void on_readable(uv_poll_t *p, int status, int events)
{
    struct watched *w = (struct watched *)p;
    assert_int_equal(status, 0);
    burst_on_readable(w->burst, w->ctx);
    if (w->burst->done)
        uv_stop(p->loop);
}

static void test_uv(void **state)
{
    struct burst b;
    struct watched w[2];
    uv_loop_t loop;
    burst_open(&b);
    assert_int_equal(uv_loop_init(&loop), 0);
    for (int i = 0; i < 2; i++) {
        w[i] = (struct watched){.burst = &b, .ctx = i};
        assert_int_equal(uv_poll_init(&loop, &w[i].poll, hq_ctx_fd(b.ctx[i])), 0);
        assert_int_equal(uv_poll_start(&w[i].poll, UV_READABLE, on_readable), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&w[i].poll, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    burst_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_uv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
