/* SPDX-License-Identifier: MIT */
/* writer_test.c - the writer against a disk of which every call fails in turn. After every call that changed the disk, what
 * a killed process and what a lost node would leave is read: all that was told to be written, or synced, is in it, in order, and
 * nothing else. When the disk is well again, nothing is missing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/clock.h"
#include "disk.h"
#include "journal/reader.h"
#include "journal/writer.h"

#define PATH "j"
#define DRAFT "j.tmp"
#define IMAGES 3u /* of each lost node */
#define STEPS 24u

static char lock_path[64];

/* ---- records ---- */

static char letters[4096];

static struct bytes record_of(uint64_t position)
{
    memset(letters, 'a' + (int)(position % 26), sizeof letters);
    return (struct bytes){letters, (size_t)(position * 131 % 900)};
}

static void append(struct list *to, uint64_t position)
{
    struct bytes r = record_of(position);
    size_t n = FRAME_HEADER + r.n;
    struct block *b = malloc(sizeof *b + n);
    *b = (struct block){.n = n, .room = n + 100, .position = position};
    b = realloc(b, sizeof *b + b->room);
    hqi_journal_frame_sketch(b->bytes, position, (uint32_t)r.n);
    memcpy(b->bytes + FRAME_HEADER, r.p, r.n);
    list_push_back(to, &b->link);
}

/* How many records, 1, 2, ..., are on this disk; anything else but a torn end fails the test. */
static uint64_t count_records(struct disk *d, uint64_t *torn)
{
    struct reader r;
    struct journal_record record;
    uint64_t n = 0;
    hq_error err = {.text = ""};
    struct bytes there = disk_get(d, PATH);
    *torn = 0;
    if (!there.p)
        return 0;
    int fd = d->io.open(d, PATH, 0);
    if (hqi_journal_reader_init(&r, &hqi_base_alloc_libc, &d->io, fd, &err) < 0)
        fail_msg("%s", err.text);
    int rc;
    while ((rc = hqi_journal_reader_next(&r, &record, &err)) > 0) {
        assert_int_equal(record.position, ++n);
        assert_true(bytes_equal(record.bytes, record_of(n)));
    }
    if (rc < 0)
        fail_msg("after %u records: %s", (unsigned)n, err.text);
    *torn = r.torn;
    hqi_journal_reader_fini(&r);
    d->io.close(d, fd);
    return n;
}

/* ---- the writer under test ---- */

struct bench {
    struct disk disk;
    struct failing mem;
    struct lock lock;
    struct writer w;
    uint64_t appended, now;
};

static void judge(struct disk *d, void *user)
{
    const struct bench *b = user;
    for (uint64_t i = 0; i <= IMAGES; i++) {
        struct disk left;
        uint64_t torn;
        disk_crashed(&left, d, i > 0, d->calls * 31 + i);
        uint64_t n = count_records(&left, &torn), least = i > 0 ? b->w.synced : b->w.written;
        if (n < least || n > b->appended)
            fail_msg("call %u, %s: %u records, told of %u, appended %u", (unsigned)d->calls, i ? "node lost" : "killed",
                     (unsigned)n, (unsigned)least, (unsigned)b->appended);
        disk_fini(&left);
    }
}

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    disk_init(&b->disk);
    failing_init(&b->mem, 0);
    b->disk.on_call = judge;
    b->disk.user = b;
    b->now = HQI_SEC;
    assert_int_equal(hqi_journal_lock_take(&b->lock, lock_path, NULL), HQ_OK);
    b->w = (struct writer){.alloc = &b->mem.alloc, .io = &b->disk.io, .lock = &b->lock, .path = PATH, .draft = DRAFT,
                           .uid = "aB3dE9", .fd = -1};
    list_init(&b->w.blocks);
}

static void tear_down(struct bench *b)
{
    hqi_journal_writer_fini(&b->w);
    hqi_journal_lock_give(&b->lock);
    disk_fini(&b->disk);
}

static void add(struct bench *b, unsigned n)
{
    struct list blocks;
    list_init(&blocks);
    while (n-- > 0) {
        append(&blocks, ++b->appended);
        b->mem.live++; /* freed by the writer */
    }
    hqi_journal_writer_take(&b->w, &blocks);
}

static void run_script(struct bench *b)
{
    for (unsigned i = 0; i < STEPS; i++) {
        add(b, 1 + i % 3);
        b->now += HQI_SEC;
        hqi_journal_writer_round(&b->w, b->now, i % 4 == 3, false);
        assert_true(b->w.synced <= b->w.written && b->w.written <= b->appended);
    }
}

/* The disk is well again. */
static void expect_all(struct bench *b)
{
    uint64_t torn;
    b->disk.fail_at = b->disk.room = b->mem.fail_at = 0;
    hqi_journal_writer_round(&b->w, b->now, true, true);
    if (b->w.error.code)
        fail_msg("%s", b->w.error.text);
    assert_true(hqi_journal_writer_idle(&b->w));
    assert_int_equal(b->w.synced, b->appended);
    assert_int_equal(count_records(&b->disk, &torn), b->appended);
    assert_int_equal(torn, 0);
    assert_int_equal(b->mem.live, 0);
    struct disk left;
    disk_crashed(&left, &b->disk, true, 1);
    assert_int_equal(count_records(&left, &torn), b->appended);
    disk_fini(&left);
}

/* ---- the tests ---- */

static void a_good_disk(void **unused)
{
    struct bench b;
    set_up(&b);
    assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
    run_script(&b);
    assert_int_equal(b.w.error.code, HQ_OK);
    expect_all(&b);
    tear_down(&b);
}

static const struct {
    int kind, sys;
} faults[] = {{0, EIO}, {DISK_WRITE, ENOSPC}, {DISK_SYNC, EIO}, {DISK_SYNC, ENOSPC}, {DISK_RENAME, EIO}, {DISK_SYNC_DIR, EIO}};

static void every_call_fails(void **unused)
{
    for (unsigned k = 0; k < sizeof faults / sizeof *faults; k++)
        for (unsigned forever = 0; forever < 2; forever++)
            for (uint64_t at = 1;; at++) {
                struct bench b;
                set_up(&b);
                assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
                b.disk.fail_at = at;
                b.disk.forever = forever;
                b.disk.fail_kind = faults[k].kind;
                b.disk.fail_sys = faults[k].sys;
                b.disk.kind_calls = 0;
                run_script(&b);
                bool hit = b.disk.hit;
                expect_all(&b);
                tear_down(&b);
                if (!hit)
                    break;
            }
}

/* A sync that failed: its file is not synced a second time, and what it had is in a new one. */
static void after_a_failed_sync_the_file_is_made_anew(void **unused)
{
    struct bench b;
    set_up(&b);
    assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
    add(&b, 3);
    hqi_journal_writer_round(&b.w, b.now, true, false);
    int before = b.w.fd;
    add(&b, 3);
    b.disk.fail_at = 1;
    b.disk.kind_calls = 0;
    b.disk.fail_kind = DISK_SYNC;
    hqi_journal_writer_round(&b.w, b.now, true, false);
    assert_true(b.disk.hit);
    assert_int_equal(b.w.error.code, HQ_OK);
    assert_int_equal(b.w.synced, 6);
    assert_int_not_equal(b.w.fd, before);
    expect_all(&b);
    tear_down(&b);
}

/* Somebody has removed the file: it is made anew where it belongs. */
static void a_file_that_was_removed_comes_back(void **unused)
{
    struct bench b;
    set_up(&b);
    assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
    add(&b, 3);
    hqi_journal_writer_round(&b.w, b.now, true, false);
    b.disk.on_call = NULL; /* until it is back, nothing can be found where it should be */
    assert_int_equal(b.disk.io.unlink(&b.disk, PATH), 0);
    add(&b, 3);
    hqi_journal_writer_round(&b.w, b.now, true, false);
    assert_int_equal(b.w.error.code, HQ_OK);
    assert_int_equal(b.w.synced, 6);
    b.disk.on_call = judge;
    expect_all(&b);
    tear_down(&b);
}

static void a_full_disk(void **unused)
{
    for (uint64_t room = FILE_HEADER; room < 9000; room += 101) {
        struct bench b;
        set_up(&b);
        b.disk.room = room;
        assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
        add(&b, 12);
        hqi_journal_writer_round(&b.w, b.now, true, false);
        if (b.disk.hit) {
            assert_int_equal(b.w.error.code, HQ_EJOURNAL);
            assert_int_equal(b.w.error.sys, ENOSPC);
            uint64_t calls = b.disk.calls;
            hqi_journal_writer_round(&b.w, b.now, true, false); /* not before the pause is over */
            assert_int_equal(b.disk.calls, calls);
        }
        run_script(&b);
        expect_all(&b);
        tear_down(&b);
    }
}

static void short_writes(void **unused)
{
    for (uint64_t max = 1; max < 200; max = max * 3 + 1) {
        struct bench b;
        set_up(&b);
        b.disk.on_call = max < 20 ? NULL : judge; /* else a million images */
        b.disk.write_max = max;
        assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
        run_script(&b);
        expect_all(&b);
        tear_down(&b);
    }
}

static void every_allocation_fails(void **unused)
{
    for (size_t at = 1;; at++) {
        struct bench b;
        set_up(&b);
        b.mem.fail_at = at;
        b.disk.fail_at = 4; /* so that a new file is made, too */
        b.disk.fail_kind = DISK_SYNC;
        if (hqi_journal_writer_create(&b.w, NULL) == HQ_OK)
            run_script(&b);
        bool hit = b.mem.hit;
        if (b.w.fd >= 0)
            expect_all(&b);
        tear_down(&b);
        assert_int_equal(b.mem.live, 0);
        if (!hit)
            break;
    }
}

static void a_journal_taken_over_is_left_alone(void **unused)
{
    static const char other[] = "hqcore-journal-lock 1 host elsewhere boot b pid 7 start 1 token 00000000000000ff\n";
    struct bench b;
    set_up(&b);
    assert_int_equal(hqi_journal_writer_create(&b.w, NULL), HQ_OK);
    add(&b, 3);
    hqi_journal_writer_round(&b.w, b.now, true, false);
    add(&b, 1);
    assert_int_equal(ftruncate(b.lock.fd, 0), 0);
    assert_int_equal(pwrite(b.lock.fd, other, sizeof other - 1, 0), sizeof other - 1);
    hqi_journal_writer_round(&b.w, b.now, true, false);
    assert_true(b.w.lost);
    assert_int_equal(b.w.error.code, HQ_EEXIST);
    assert_non_null(strstr(b.w.error.text, "pid 7 on elsewhere"));
    assert_int_equal(b.w.synced, 3);
    uint64_t calls = b.disk.calls;
    add(&b, 1);
    hqi_journal_writer_round(&b.w, b.now + 100 * HQI_SEC, true, true);
    assert_int_equal(b.disk.calls, calls);
    tear_down(&b);
    assert_int_equal(access(lock_path, F_OK), 0); /* it is not ours to remove */
    unlink(lock_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_disk),
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(after_a_failed_sync_the_file_is_made_anew),
        cmocka_unit_test(a_file_that_was_removed_comes_back),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(short_writes),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(a_journal_taken_over_is_left_alone),
    };
    snprintf(lock_path, sizeof lock_path, "/tmp/writer_test.%d.lock", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
