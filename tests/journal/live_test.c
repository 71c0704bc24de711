/* SPDX-License-Identifier: MIT */
/* live_test.c - the journal with its thread, under a story: compaction while the owner appends, on a good disk and on one that fails
 * now and then. Run it under TSan, too: meson setup build-tsan -Db_sanitize=thread -Db_lundef=false. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/journal/disk.h"
#include "journal/journal.h"
#include "story.h"

#define HOUR_MS 3600000u

static char path[64];

struct bench {
    struct disk disk;
    struct journal *j;
    int event;
    struct journal_options opt;
};

static void wake(void *user)
{
    const uint64_t one = 1;
    assert_int_equal(write(*(int *)user, &one, sizeof one), sizeof one);
}

static void set_up(struct bench *b)
{
    *b = (struct bench){.event = eventfd(0, EFD_CLOEXEC)};
    disk_init(&b->disk);
    b->opt = (struct journal_options){.alloc = &hqi_base_alloc_libc, .io = &b->disk.io, .flush_ms = HOUR_MS,
                                      .compact_bytes = UINT64_MAX, .wake = wake, .user = &b->event};
}

static struct state *open_and_restore(struct bench *b)
{
    hq_error err;
    struct journal_record r;
    struct state *st;
    int rc;
    assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
    if (hqi_journal_journal_open(&b->j, path, &b->opt, &err) < 0)
        fail_msg("%s", err.text);
    while ((rc = hqi_journal_journal_next(b->j, &r, &err)) > 0)
        story_feed(st, r.position, r.bytes);
    if (rc < 0 || hqi_journal_journal_start(b->j, "abcdef", &err) < 0)
        fail_msg("%s", err.text);
    return st;
}

static void close_journal(struct bench *b)
{
    hqi_journal_journal_free(b->j);
    b->j = NULL;
}

static void tear_down(struct bench *b)
{
    close_journal(b);
    close(b->event);
    disk_fini(&b->disk);
}

static void await(struct bench *b, bool (*done)(struct bench *b, uint64_t n), uint64_t n)
{
    for (;;) {
        uint64_t count;
        struct pollfd p = {.fd = b->event, .events = POLLIN};
        hqi_journal_journal_look(b->j);
        if (done(b, n))
            return;
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_int_equal(read(b->event, &count, sizeof count), sizeof count);
    }
}

static bool is_synced(struct bench *b, uint64_t position)
{
    return hqi_journal_journal_synced(b->j) >= position;
}

static bool is_compacted(struct bench *b, uint64_t n)
{
    struct journal_compactions c;
    hq_error err;
    if (hqi_journal_journal_compactions(b->j, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c.done >= n;
}

static bool was_tried(struct bench *b, uint64_t n)
{
    struct journal_compactions c;
    hqi_journal_journal_compactions(b->j, &c, NULL);
    return c.done >= n;
}

static void append(struct bench *b, const struct story *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        assert_int_equal(hqi_journal_journal_append(b->j, s->records[i].position, s->records[i].bytes, NULL), HQ_OK);
    hqi_journal_journal_push(b->j);
}

static void expect_restored(struct bench *b, uint64_t digest)
{
    close_journal(b);
    struct state *st = open_and_restore(b);
    assert_true(hqi_state_digest(st) == digest);
    hqi_state_state_free(st);
}

/* ---- tests ---- */

static void compacting_while_appending(void **unused)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct story s;
        struct bench b;
        story_make(&s, seed, 400);
        set_up(&b);
        hqi_state_state_free(open_and_restore(&b));
        uint32_t asked = 0;
        for (uint32_t at = 0; at < s.n; at += 10) {
            append(&b, &s, at, at + 10 < s.n ? at + 10 : s.n);
            if (at % 60 == 0) {
                hqi_journal_journal_compact(b.j, false);
                asked++;
            }
        }
        hqi_journal_journal_want_sync(b.j);
        await(&b, is_synced, s.records[s.n - 1].position);
        await(&b, is_compacted, asked);
        assert_false(hqi_journal_journal_full(b.j));
        expect_restored(&b, s.records[s.n - 1].digest);
        tear_down(&b);
        story_fini(&s);
    }
}

static void pruning(void **unused)
{
    struct story s;
    struct bench b;
    struct journal_compactions c;
    story_make(&s, 9, 400);
    set_up(&b);
    hqi_state_state_free(open_and_restore(&b));
    append(&b, &s, 0, s.n);
    hqi_journal_journal_compact(b.j, true);
    await(&b, is_compacted, 1);
    assert_int_equal(hqi_journal_journal_compactions(b.j, &c, NULL), HQ_OK);
    assert_int_equal(c.asked, 1);
    assert_true(c.after < c.before);
    assert_int_equal(hqi_journal_journal_synced(b.j), s.records[s.n - 1].position);
    close_journal(&b);
    struct state *st = open_and_restore(&b);
    assert_int_equal(st->position, s.records[s.n - 1].position);
    for (uint32_t id = 1; id <= st->n_jobs; id++)
        assert_false(st->jobs[id] && hqi_state_job_ended(st->jobs[id]));
    hqi_state_state_free(st);
    tear_down(&b);
    story_fini(&s);
}

static bool is_smaller(struct bench *b, uint64_t bytes)
{
    struct journal_compactions c;
    hq_error err;
    if (hqi_journal_journal_compactions(b->j, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c.after > 0 && c.after < bytes;
}

static void it_happens_by_itself(void **unused)
{
    struct story s;
    struct bench b;
    story_make_tidy(&s, 6, 400);
    set_up(&b);
    b.opt.compact_bytes = 4096;
    hqi_state_state_free(open_and_restore(&b));
    append(&b, &s, 0, s.n);
    await(&b, is_smaller, s.bytes.n / 2);
    hqi_journal_journal_want_sync(b.j);
    await(&b, is_synced, s.records[s.n - 1].position);
    expect_restored(&b, s.records[s.n - 1].digest);
    tear_down(&b);
    story_fini(&s);
}

static bool is_failing(struct bench *b, uint64_t unused)
{
    return hqi_journal_journal_error(b->j, NULL) < 0;
}

/* A compaction that the disk refuses says so, and the journal goes on as it was. */
static void a_compaction_that_fails(void **unused)
{
    struct story s;
    struct bench b;
    struct journal_compactions c;
    hq_error err;
    story_make(&s, 10, 200);
    set_up(&b);
    hqi_state_state_free(open_and_restore(&b));
    append(&b, &s, 0, s.n / 2);
    hqi_journal_journal_want_sync(b.j);
    await(&b, is_synced, s.records[s.n / 2 - 1].position);
    b.disk.kind_calls = 0;
    b.disk.fail_kind = DISK_RENAME;
    b.disk.fail_at = 1;
    hqi_journal_journal_compact(b.j, false);
    await(&b, was_tried, 1);
    assert_int_equal(hqi_journal_journal_compactions(b.j, &c, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "cannot rename"));
    assert_int_equal(hqi_journal_journal_error(b.j, NULL), HQ_OK);
    append(&b, &s, s.n / 2, s.n);
    hqi_journal_journal_compact(b.j, false);
    await(&b, was_tried, 2);
    assert_int_equal(hqi_journal_journal_compactions(b.j, &c, NULL), HQ_OK);
    expect_restored(&b, s.records[s.n - 1].digest);
    tear_down(&b);
    story_fini(&s);
}

/* Asked for while the disk refuses everything: it is answered when the disk is well again. */
static void a_compaction_waits_for_the_disk(void **unused)
{
    struct story s;
    struct bench b;
    story_make(&s, 11, 200);
    set_up(&b);
    hqi_state_state_free(open_and_restore(&b));
    pthread_mutex_lock(&b.disk.mutex);
    b.disk.room = 200;
    pthread_mutex_unlock(&b.disk.mutex);
    append(&b, &s, 0, s.n);
    await(&b, is_failing, 0);
    hqi_journal_journal_compact(b.j, false);
    pthread_mutex_lock(&b.disk.mutex);
    b.disk.room = 0;
    pthread_mutex_unlock(&b.disk.mutex);
    await(&b, is_compacted, 1);
    expect_restored(&b, s.records[s.n - 1].digest);
    tear_down(&b);
    story_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compacting_while_appending), cmocka_unit_test(pruning),
        cmocka_unit_test(it_happens_by_itself),       cmocka_unit_test(a_compaction_that_fails),
        cmocka_unit_test(a_compaction_waits_for_the_disk),
    };
    snprintf(path, sizeof path, "/tmp/live_test.%d", (int)getpid()); /* of the lock; the file is in memory */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
