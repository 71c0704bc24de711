/* SPDX-License-Identifier: MIT */
/* tail_test.c - a journal read while it grows, is compacted and fails: the events are those of its records, each once and in
 * order, and none of what is not synced. */
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
#include "journal/feed.h"
#include "journal/tail.h"
#include "story.h"

#define HOUR_MS 3600000u
#define STEPS 200u
#define CUTS 8u /* parts in which a story is appended */

static char path[64];

struct bench {
    struct disk disk;
    struct journal *j;
    int event;
    struct tail tail;
    struct feed feed;
    struct buf told; /* events as text */
    size_t room;     /* bytes of a page */
};

static void wake(void *user)
{
    const uint64_t one = 1;
    assert_int_equal(write(*(int *)user, &one, sizeof one), sizeof one);
}

static void open_journal(struct bench *b)
{
    const struct journal_options opt = {.alloc = &hqi_base_alloc_libc, .io = &b->disk.io, .flush_ms = HOUR_MS,
                                        .compact_bytes = UINT64_MAX, .wake = wake, .user = &b->event};
    struct journal_record r;
    hq_error err;
    if (hqi_journal_journal_open(&b->j, path, &opt, &err) < 0)
        fail_msg("%s", err.text);
    while (hqi_journal_journal_next(b->j, &r, &err) > 0)
        ;
    if (hqi_journal_journal_start(b->j, "abcdef", &err) < 0)
        fail_msg("%s", err.text);
}

static void set_up(struct bench *b, size_t room)
{
    *b = (struct bench){.event = eventfd(0, EFD_CLOEXEC), .room = room};
    disk_init(&b->disk);
    open_journal(b);
    hqi_journal_tail_init(&b->tail, &b->disk.io);
    assert_int_equal(hqi_journal_feed_init(&b->feed, &hqi_base_alloc_libc, NULL), HQ_OK);
    hqi_base_buf_init(&b->told, &hqi_base_alloc_libc);
}

static void tear_down(struct bench *b)
{
    hqi_journal_tail_close(&b->tail);
    hqi_journal_feed_fini(&b->feed);
    hqi_base_buf_fini(&b->told);
    hqi_journal_journal_free(b->j);
    close(b->event);
    disk_fini(&b->disk);
}

static void turn(struct bench *b)
{
    uint64_t count;
    struct pollfd p = {.fd = b->event, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_int_equal(read(b->event, &count, sizeof count), sizeof count);
    hqi_journal_journal_look(b->j);
}

static void append(struct bench *b, const struct story *s, uint32_t from, uint32_t to, bool sync)
{
    for (uint32_t i = from; i < to; i++)
        assert_int_equal(hqi_journal_journal_append(b->j, s->records[i].position, s->records[i].bytes, NULL), HQ_OK);
    hqi_journal_journal_push(b->j);
    if (!sync || from == to)
        return;
    hqi_journal_journal_want_sync(b->j);
    while (hqi_journal_journal_synced(b->j) < s->records[to - 1].position)
        turn(b);
}

static void compact(struct bench *b, bool prune)
{
    struct journal_compactions c;
    hqi_journal_journal_compact(b->j, prune);
    while (hqi_journal_journal_compactions(b->j, &c, NULL) == HQ_OK && c.done < c.asked)
        turn(b);
    assert_int_equal(c.done, c.asked);
}

/* ---- events as text ---- */

static void dump(struct buf *out, const struct hq_doc *d)
{
    hqi_base_buf_addf(out, "%s:", d->name ? d->name : "");
    if (d->kind == DOC_BYTES)
        hqi_base_buf_add(out, d->v.p, d->n);
    else if (d->kind == DOC_LIST || d->kind == DOC_MAP)
        for (uint32_t i = 0; i < d->n; i++)
            dump(out, &d->v.child[i]);
    else if (d->kind == DOC_BOOL)
        hqi_base_buf_addc(out, d->v.b ? 't' : 'f');
    else if (d->kind != DOC_NULL)
        hqi_base_buf_addf(out, "%llu", (unsigned long long)d->v.u);
    hqi_base_buf_addc(out, d->kind == DOC_MAP ? '\n' : ' ');
}

static void expect_told(const struct bench *b, const struct story *s)
{
    struct history *h;
    const struct hq_doc *event;
    struct buf all;
    hqi_base_buf_init(&all, &hqi_base_alloc_libc);
    assert_int_equal(hqi_journal_history_new(&h, &hqi_base_alloc_libc, NULL), HQ_OK);
    for (uint32_t i = 0; i < s->n; i++) {
        assert_int_equal(hqi_journal_history_feed(h, s->records[i].position, s->records[i].bytes, NULL), HQ_OK);
        while (hqi_journal_history_next(h, &event, NULL) > 0)
            dump(&all, event);
    }
    assert_true(all.n > 0);
    assert_int_equal(b->told.n, all.n);
    assert_memory_equal(b->told.p, all.p, all.n);
    hqi_journal_history_free(h);
    hqi_base_buf_fini(&all);
}

/* One page, and the events in it. 1: there was one; 0: nothing follows. */
static int read_page(struct bench *b, hq_error *err)
{
    const struct hq_doc *event;
    struct journal_place at = b->feed.at;
    uint64_t left = 0;
    char *page = malloc(b->room);
    int r = hqi_journal_tail_look(&b->tail, b->j, &at, &left, err);
    size_t n = r < 0 ? 0 : left < b->room ? (size_t)left : b->room;
    if (r >= 0)
        r = hqi_journal_tail_read(&b->tail, &at, page, n, err);
    if (r >= 0)
        r = hqi_journal_feed_page(&b->feed, &at, (struct bytes){page, n}, err);
    free(page);
    while (r >= 0 && (r = hqi_journal_feed_next(&b->feed, &event, err)) > 0)
        dump(&b->told, event);
    assert_true(b->feed.position <= hqi_journal_journal_synced(b->j));
    return r < 0 && r != HQ_EAGAIN ? r : n > 0;
}

static void read_all(struct bench *b)
{
    hq_error err;
    int r;
    while ((r = read_page(b, &err)) > 0)
        ;
    if (r < 0)
        fail_msg("%s", err.text);
}

static uint32_t cut(const struct story *s, unsigned i)
{
    return s->n * i / CUTS;
}

/* ---- cases ---- */

static void what_is_synced_and_nothing_else(void **unused)
{
    struct story s;
    struct bench b;
    story_make(&s, 20, STEPS);
    set_up(&b, 4096);
    append(&b, &s, 0, cut(&s, 4), true);
    append(&b, &s, cut(&s, 4), s.n, false);
    while (hqi_journal_journal_written(b.j) < s.records[s.n - 1].position)
        turn(&b);
    read_all(&b);
    assert_int_equal(b.feed.position, s.records[cut(&s, 4) - 1].position);
    hqi_journal_journal_want_sync(b.j);
    while (hqi_journal_journal_synced(b.j) < s.records[s.n - 1].position)
        turn(&b);
    read_all(&b);
    expect_told(&b, &s);
    tear_down(&b);
    story_fini(&s);
}

static void pages_of_every_size(void **unused)
{
    static const size_t rooms[] = {1, 7, 24, 333, 1u << 20};
    struct story s;
    story_make(&s, 21, 60);
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        struct bench b;
        set_up(&b, rooms[i]);
        append(&b, &s, 0, s.n, true);
        read_all(&b);
        expect_told(&b, &s);
        tear_down(&b);
    }
    story_fini(&s);
}

/* Always less than one compaction behind: it is still in the old file when the new one takes its place. */
static void across_compactions(void **unused)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct story s;
        struct bench b;
        story_make(&s, 30 + seed, STEPS);
        set_up(&b, 1000);
        for (unsigned i = 0; i < CUTS; i++) {
            append(&b, &s, cut(&s, i), cut(&s, i + 1), true);
            if (read_page(&b, NULL) > 0 && i % 3 == 1)
                read_all(&b);
            if (i % 3 == 2) {
                compact(&b, seed % 2);
                read_all(&b);
            }
        }
        read_all(&b);
        expect_told(&b, &s);
        tear_down(&b);
        story_fini(&s);
    }
}

/* Another server goes on with the file: the place is known to the reader only. */
static void across_a_restart(void **unused)
{
    struct story s;
    struct bench b;
    story_make(&s, 22, STEPS);
    set_up(&b, 100);
    append(&b, &s, 0, cut(&s, 4), true);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read_page(&b, NULL), 1);
    hqi_journal_tail_close(&b.tail);
    hqi_journal_journal_free(b.j);
    open_journal(&b);
    append(&b, &s, cut(&s, 4), s.n, true);
    read_all(&b);
    expect_told(&b, &s);
    tear_down(&b);
    story_fini(&s);
}

static void compacted_beyond_what_was_read(void **unused)
{
    struct story s;
    struct bench b;
    hq_error err;
    int r;
    story_make(&s, 23, STEPS);
    set_up(&b, 200);
    append(&b, &s, 0, cut(&s, 2), true);
    assert_int_equal(read_page(&b, NULL), 1);
    compact(&b, true);
    append(&b, &s, cut(&s, 2), s.n, true);
    compact(&b, true);
    while ((r = read_page(&b, &err)) > 0)
        ;
    assert_int_equal(r, HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "compacted before it was read up to there"));
    tear_down(&b);
    story_fini(&s);
}

/* The file is made anew after a failed sync, from what was synced and from memory: nothing is told twice, nothing is left out. */
static void across_a_failed_sync(void **unused)
{
    struct story s;
    struct bench b;
    story_make(&s, 24, STEPS);
    set_up(&b, 500);
    append(&b, &s, 0, cut(&s, 3), true);
    assert_int_equal(read_page(&b, NULL), 1);
    uint32_t before = hqi_journal_journal_end(b.j).file;
    pthread_mutex_lock(&b.disk.mutex);
    b.disk.kind_calls = 0;
    b.disk.fail_kind = DISK_SYNC;
    b.disk.fail_at = 1;
    pthread_mutex_unlock(&b.disk.mutex);
    append(&b, &s, cut(&s, 3), s.n, true);
    assert_int_not_equal(hqi_journal_journal_end(b.j).file, before);
    read_all(&b);
    expect_told(&b, &s);
    tear_down(&b);
    story_fini(&s);
}

static void what_is_refused(void **unused)
{
    struct story s;
    struct bench b;
    hq_error err;
    uint64_t left;
    char page[100];
    story_make(&s, 25, 20);
    set_up(&b, sizeof page);
    append(&b, &s, 0, s.n, true);
    struct journal_place end = hqi_journal_journal_end(b.j), at = {end.file, end.offset + 1};
    assert_int_equal(hqi_journal_tail_look(&b.tail, b.j, &at, &left, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "is asked for, and it has"));
    assert_int_equal(read_page(&b, NULL), 1);
    at = (struct journal_place){end.file, b.feed.at.offset + 1};
    assert_int_equal(hqi_journal_feed_page(&b.feed, &at, (struct bytes){"x", 1}, &err), HQ_EPROTO);
    memset(page, 0x5a, sizeof page);
    at = (struct journal_place){end.file + 1, 64};
    assert_int_equal(hqi_journal_feed_page(&b.feed, &at, (struct bytes){page, sizeof page}, &err), HQ_OK);
    const struct hq_doc *event;
    assert_int_equal(hqi_journal_feed_next(&b.feed, &event, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "at byte 64, is no record"));
    tear_down(&b);
    story_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_synced_and_nothing_else), cmocka_unit_test(pages_of_every_size),
        cmocka_unit_test(across_compactions),              cmocka_unit_test(across_a_restart),
        cmocka_unit_test(compacted_beyond_what_was_read),  cmocka_unit_test(across_a_failed_sync),
        cmocka_unit_test(what_is_refused),
    };
    snprintf(path, sizeof path, "/tmp/tail_test.%d", (int)getpid()); /* of the lock; the file is in memory */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
