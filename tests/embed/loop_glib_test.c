/* SPDX-License-Identifier: MIT */
/* loop_glib_test.c - a host whose loop is GLib's. */
#include "burst.h"

#include <glib-unix.h>

struct watched {
    struct burst *burst;
    GMainLoop *loop;
    int ctx;
};

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user)
{
    struct watched *w = user;
    burst_on_readable(w->burst, w->ctx);
    if (w->burst->done)
        g_main_loop_quit(w->loop);
    return G_SOURCE_CONTINUE;
}

static void test_glib(void **state)
{
    struct burst b;
    struct watched w[2];
    guint id[2];
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    burst_open(&b);
    for (int i = 0; i < 2; i++) {
        w[i] = (struct watched){&b, loop, i};
        id[i] = g_unix_fd_add(hq_ctx_fd(b.ctx[i]), G_IO_IN, on_readable, &w[i]);
    }
    g_main_loop_run(loop);
    for (int i = 0; i < 2; i++)
        g_source_remove(id[i]);
    g_main_loop_unref(loop);
    burst_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_glib)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
