/* SPDX-License-Identifier: MIT */
/* reader_test.c - a client that reads what happened at a server without a journal, and how long that is kept for it. */
#include "rig.h"

#include <stdbool.h>

#define KEPT_BYTES (32u << 20) /* that a reader may leave unread */
#define SUBMIT_BYTES 100000u    /* of each submit: so some hundreds are more than that */

static char program[SUBMIT_BYTES + 1];
static const char *const argv[] = {program, NULL};

/* The page that follows; the code of the reply. */
static int read_page(struct rig *r, hq_journal *j, hq_error *err)
{
    static uint64_t tag = 1000;
    const hq_event *e;
    must(hq_tools_journal_read(r->client, j, ++tag, RIG_ERR));
    for (int i = 0; i < 6000; i++) {
        hq_ctx_run(r->ctx, 5, NULL);
        while (hq_ctx_next(r->ctx, &e) > 0) {
            if (e->type != HQ_EVENT_REPLY || e->tag != tag)
                continue;
            if (e->code < 0)
                snprintf(err->text, sizeof err->text, "%s", e->text);
            return e->code < 0 ? e->code : hq_tools_journal_feed(j, e->u.reply.doc, err);
        }
    }
    fail_msg("no reply");
    return 0;
}

/* Takes all events that are there. */
static uint32_t count_events(hq_journal *j)
{
    const hq_doc *event;
    hq_error err;
    uint32_t n = 0;
    int r;
    while ((r = hq_tools_journal_next(j, &event, &err)) > 0)
        n++;
    assert_true(r == HQ_EAGAIN || r == 0);
    return n;
}

static void submit_large(struct rig *r, uint64_t bytes)
{
    hq_submit *s = rig_submit(r, NULL, argv);
    hq_submit_set_name(s, "large");
    for (uint64_t sent = 0; sent < bytes; sent += SUBMIT_BYTES)
        must(hq_submit_array(r->client, NULL, argv, s, NULL, RIG_ERR));
    hq_submit_free(s);
}

static uint32_t read_all(struct rig *r, hq_journal *j, uint32_t events)
{
    hq_error err = {0};
    uint32_t n = 0;
    while (n < events) {
        must(read_page(r, j, RIG_ERR));
        n += count_events(j);
    }
    assert_int_equal(err.code, 0);
    return n;
}

static void test_a_reader_that_does_not_read(void **state)
{
    struct rig r;
    hq_journal *j;
    hq_error err = {0};
    memset(program, 'x', SUBMIT_BYTES);
    rig_open(&r);
    submit_large(&r, KEPT_BYTES / 4);
    uint32_t jobs = (KEPT_BYTES / 4 + SUBMIT_BYTES - 1) / SUBMIT_BYTES, more = (KEPT_BYTES / 2 + SUBMIT_BYTES - 1) / SUBMIT_BYTES;
    must(hq_tools_journal_remote(&j, 1, RIG_ERR));
    assert_int_equal(read_all(&r, j, 1 + 2 * jobs), 1 + 2 * jobs); /* the server's start, jobs that are open, what is in them */
    submit_large(&r, KEPT_BYTES / 2);
    assert_int_equal(read_all(&r, j, more), more); /* nothing of it is lost */
    submit_large(&r, KEPT_BYTES + 2 * SUBMIT_BYTES);
    assert_int_equal(read_page(&r, j, &err), HQ_ELIMIT);
    assert_non_null(strstr(err.text, "more has happened than was read, and only 32 MiB are kept; start again"));
    hq_tools_journal_free(j);
    must(hq_tools_journal_remote(&j, 0, RIG_ERR));
    must(read_page(&r, j, RIG_ERR)); /* it may */
    hq_tools_journal_free(j);
    rig_close(&r);
}

/* A second request begins anew only if it says so. */
static void test_what_was_not_asked_for_in_order(void **state)
{
    struct rig r;
    hq_journal *j, *other;
    hq_error err = {0};
    rig_open(&r);
    must(hq_tools_journal_remote(&j, 1, RIG_ERR));
    must(hq_tools_journal_remote(&other, 1, RIG_ERR));
    assert_int_equal(read_all(&r, j, 1), 1);
    assert_int_equal(read_all(&r, other, 1), 1);
    assert_int_equal(read_page(&r, j, &err), HQ_EPROTO);
    assert_non_null(strstr(err.text, "is asked for, and byte"));
    hq_tools_journal_free(j);
    hq_tools_journal_free(other);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reader_that_does_not_read),
        cmocka_unit_test(test_what_was_not_asked_for_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
