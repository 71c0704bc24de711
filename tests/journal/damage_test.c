/* SPDX-License-Identifier: MIT */
/* damage_test.c - a real journal, cut at every byte and with every byte damaged. What is read is always a prefix of its records, as
 * they were, and restores the state that this prefix says; good records behind damage are never passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/journal/disk.h"
#include "journal/reader.h"
#include "story.h"

#define STEPS 320u
#define PATH "j"

/* ---- one file, its records in `story` ---- */

struct file {
    struct story story;
    struct disk disk;
    char *bytes;     /* owned: as it was written */
    size_t n;
    size_t *ends;    /* owned: of each record */
};

static void set_up(struct file *f)
{
    story_make(&f->story, 7, STEPS);
    disk_init(&f->disk);
    story_write(&f->story, 0, f->story.n, &f->disk.io, PATH);
    struct bytes b = disk_get(&f->disk, PATH);
    f->n = b.n;
    f->bytes = malloc(b.n);
    memcpy(f->bytes, b.p, b.n);
    f->ends = malloc(f->story.n * sizeof *f->ends);
    size_t at = FILE_HEADER;
    for (uint32_t i = 0; i < f->story.n; i++)
        f->ends[i] = at += FRAME_HEADER + f->story.records[i].bytes.n;
    assert_int_equal(at, f->n);
    assert_true(f->story.n > 200);
}

static void tear_down(struct file *f)
{
    free(f->bytes);
    free(f->ends);
    disk_fini(&f->disk);
    story_fini(&f->story);
}

static uint32_t whole_records(const struct file *f, size_t n)
{
    uint32_t k = 0;
    while (k < f->story.n && f->ends[k] <= n)
        k++;
    return k;
}

/* ---- reading a damaged one ---- */

struct scan {
    struct reader r;
    int fd;
    uint32_t next; /* record that is expected */
};

static int begin(struct scan *s, struct file *f, hq_error *err)
{
    s->next = 0;
    s->fd = f->disk.io.open(&f->disk, PATH, 0);
    int rc = hqi_journal_reader_init(&s->r, &hqi_base_alloc_libc, &f->disk.io, s->fd, err);
    return rc;
}

static void end(struct scan *s, struct file *f)
{
    hqi_journal_reader_fini(&s->r);
    f->disk.io.close(&f->disk, s->fd);
}

/* Reads on as far as it goes; every record is the one that is expected. */
static int read_on(struct scan *s, const struct file *f, hq_error *err)
{
    struct journal_record record;
    int rc;
    while ((rc = hqi_journal_reader_next(&s->r, &record, err)) > 0) {
        const struct story_record *expected = &f->story.records[s->next++];
        assert_int_equal(record.position, expected->position);
        assert_true(bytes_equal(record.bytes, expected->bytes));
    }
    return rc;
}

static void expect_restored(struct file *f, uint32_t records)
{
    uint32_t n;
    struct state *st = story_restore(&f->disk.io, PATH, &n);
    assert_int_equal(n, records);
    if (n > 0)
        assert_true(hqi_state_digest(st) == f->story.records[n - 1].digest);
    hqi_state_state_free(st);
}

/* ---- tests ---- */

static void cut_at_every_byte(void **unused)
{
    struct file f;
    set_up(&f);
    uint32_t restored = UINT32_MAX;
    for (size_t n = 0; n <= f.n; n++) {
        struct scan s;
        hq_error err;
        disk_put(&f.disk, PATH, (struct bytes){f.bytes, n});
        uint32_t k = whole_records(&f, n);
        if (begin(&s, &f, &err) < 0 || read_on(&s, &f, &err) < 0)
            fail_msg("cut to %zu bytes: %s", n, err.text);
        size_t good = n < FILE_HEADER ? 0 : k ? f.ends[k - 1] : FILE_HEADER;
        assert_int_equal(s.next, k);
        assert_int_equal(s.r.offset, good);
        assert_int_equal(s.r.torn, n - good);
        end(&s, &f);
        if (k != restored || n == good + FRAME_HEADER / 2)
            expect_restored(&f, k);
        restored = k;
    }
    tear_down(&f);
}

/* `damaged`: number of the record that was; all before it are read, and it is told exactly where to go on. */
static void expect_damage(struct file *f, uint32_t damaged)
{
    struct scan s;
    hq_error err;
    bool last = damaged + 1 == f->story.n;
    size_t from = damaged ? f->ends[damaged - 1] : FILE_HEADER;
    if (begin(&s, f, &err) < 0)
        fail_msg("%s", err.text);
    int rc = read_on(&s, f, &err);
    assert_int_equal(s.next, damaged);
    if (last) {
        assert_int_equal(rc, 0);
        assert_int_equal(s.r.offset, from);
        assert_int_equal(s.r.torn, f->n - from);
    } else {
        assert_int_equal(rc, HQ_EJOURNAL);
        assert_int_equal(s.r.bad_from, from);
        assert_int_equal(s.r.bad_to, f->ends[damaged]);
        hqi_journal_reader_skip(&s.r);
        s.next++;
        assert_int_equal(read_on(&s, f, &err), 0);
        assert_int_equal(s.next, f->story.n);
        assert_int_equal(s.r.torn, 0);
    }
    end(&s, f);
}

static void damage_header(struct file *f, size_t at)
{
    struct scan s;
    hq_error err;
    assert_int_equal(begin(&s, f, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, at < 8 ? "Invalid journal format" : "its header is damaged"));
    if (at >= 8) { /* of the salt there are two */
        assert_true(hqi_journal_reader_behead(&s.r));
        assert_int_equal(read_on(&s, f, &err), 0);
        assert_int_equal(s.next, f->story.n);
    }
    end(&s, f);
}

static void every_byte_damaged(void **unused)
{
    static const unsigned char heads[] = {1, 2, 4, 8, 16, 32, 64, 128, 255}, records[] = {1, 128, 255};
    struct file f;
    set_up(&f);
    for (size_t at = 0; at < f.n; at++) {
        uint32_t k = whole_records(&f, at); /* the record in which the byte is */
        bool head = at < FILE_HEADER || at - (k ? f.ends[k - 1] : FILE_HEADER) < FRAME_HEADER;
        const unsigned char *patterns = head ? heads : records;
        size_t n = head ? sizeof heads : sizeof records;
        disk_put(&f.disk, PATH, (struct bytes){f.bytes, f.n});
        char *byte = (char *)disk_get(&f.disk, PATH).p + at;
        for (size_t i = 0; i < n; i++) {
            *byte = (char)(f.bytes[at] ^ patterns[i]);
            if (at < FILE_HEADER)
                damage_header(&f, at);
            else
                expect_damage(&f, k);
        }
    }
    tear_down(&f);
}

/* Whole frames lost, doubled, or in another order; a piece of the file zeroed, as by a lost block. */
static void pieces_gone_or_out_of_place(void **unused)
{
    struct file f;
    struct scan s;
    hq_error err;
    set_up(&f);
    char *copy = malloc(2 * f.n);
    for (uint32_t k = 1; k + 1 < f.story.n; k += 7) {
        size_t from = f.ends[k - 1], to = f.ends[k];
        memcpy(copy, f.bytes, from);
        memset(copy + from, 0, to - from);
        memcpy(copy + to, f.bytes + to, f.n - to);
        disk_put(&f.disk, PATH, (struct bytes){copy, f.n});
        expect_damage(&f, k);

        memcpy(copy + from, f.bytes + f.ends[k - 1], to - from); /* the same record twice */
        memcpy(copy + to, f.bytes + from, f.n - from);
        disk_put(&f.disk, PATH, (struct bytes){copy, f.n + to - from});
        assert_int_equal(begin(&s, &f, &err), HQ_OK);
        struct journal_record record;
        for (uint32_t i = 0; i <= k + 1; i++)
            assert_int_equal(hqi_journal_reader_next(&s.r, &record, &err), 1);
        assert_int_equal(record.position, f.story.records[k].position); /* equal numbers: state decides */
        end(&s, &f);
    }
    free(copy);
    tear_down(&f);
}

/* What is behind the end may be an old file's: another salt, so none of it is a record. */
static void blocks_of_another_journal_behind_the_end(void **unused)
{
    struct file f;
    set_up(&f);
    struct disk other;
    disk_init(&other);
    story_write(&f.story, 0, f.story.n, &other.io, PATH);
    struct bytes old = disk_get(&other, PATH);
    uint32_t half = f.story.n / 2;
    size_t from = f.ends[half - 1];
    char *copy = malloc(f.n);
    memcpy(copy, f.bytes, from);
    memcpy(copy + from, old.p + from, f.n - from);
    disk_put(&f.disk, PATH, (struct bytes){copy, f.n});
    struct scan s;
    hq_error err;
    assert_int_equal(begin(&s, &f, &err), HQ_OK);
    assert_int_equal(read_on(&s, &f, &err), 0);
    assert_int_equal(s.next, half);
    assert_int_equal(s.r.torn, f.n - from);
    end(&s, &f);
    expect_restored(&f, half);
    free(copy);
    disk_fini(&other);
    tear_down(&f);
}

static void a_disk_that_cannot_be_read(void **unused)
{
    struct file f;
    set_up(&f);
    for (uint64_t at = 1; at < 4; at++) {
        struct scan s;
        hq_error err;
        f.disk.kind_calls = 0;
        f.disk.fail_kind = DISK_READ;
        f.disk.fail_at = at;
        f.disk.hit = false;
        int rc = begin(&s, &f, &err);
        if (rc >= 0)
            rc = read_on(&s, &f, &err);
        if (f.disk.hit) {
            assert_int_equal(rc, HQ_EJOURNAL);
            assert_non_null(strstr(err.text, "cannot be read at byte"));
            assert_int_equal(s.r.bad_to, 0); /* nothing to be skipped */
        }
        assert_true(f.disk.hit || at > 1);
        end(&s, &f);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(every_byte_damaged),
        cmocka_unit_test(pieces_gone_or_out_of_place),
        cmocka_unit_test(blocks_of_another_journal_behind_the_end),
        cmocka_unit_test(a_disk_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
