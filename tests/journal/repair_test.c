/* SPDX-License-Identifier: MIT */
/* repair_test.c - journals with a record lost, at every place: what can be saved is, the rest is counted, and the file that comes of
 * it is one that a server starts from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/failing_alloc.h"
#include "../unit/journal/disk.h"
#include "journal/repair.h"
#include "story.h"

#define PATH "j"
#define SAVED "saved"

static void write_story(struct disk *d, const struct story *s)
{
    disk_init(d);
    story_write(s, 0, s->n, &d->io, PATH);
}

static char *record_at(struct disk *d, const struct story *s, uint32_t k, size_t *from)
{
    *from = FILE_HEADER;
    for (uint32_t i = 0; i < k; i++)
        *from += FRAME_HEADER + s->records[i].bytes.n;
    return (char *)disk_get(d, PATH).p + *from;
}

static void a_whole_one_is_copied(void **unused)
{
    struct story s;
    struct disk d;
    struct repair r;
    uint32_t n;
    hq_error err;
    story_make(&s, 2, 200);
    write_story(&d, &s);
    if (hqi_journal_repair(&r, PATH, SAVED, &hqi_base_alloc_libc, &d.io, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(r.uid, "abcdef");
    assert_int_equal(r.records, s.n);
    assert_int_equal(r.position, s.records[s.n - 1].position);
    assert_int_equal(r.facts, r.position);
    assert_false(r.header || r.damages || r.orphans || r.torn);
    struct state *st = story_restore(&d.io, SAVED, &n);
    assert_true(hqi_state_digest(st) == s.records[s.n - 1].digest);
    uint64_t tasks = 0;
    for (uint32_t i = 1; i <= st->n_jobs; i++)
        tasks += st->jobs[i] ? hqi_state_job_total(st->jobs[i]) : 0;
    assert_int_equal(r.tasks, tasks);
    assert_int_equal(r.jobs, st->live_jobs);
    assert_int_equal(r.workers, st->n_workers);
    hqi_state_state_free(st);
    assert_int_equal(hqi_journal_repair(&r, PATH, SAVED, &hqi_base_alloc_libc, &d.io, &err), HQ_EEXIST);
    disk_fini(&d);
    story_fini(&s);
}

static void one_record_lost(void **unused)
{
    struct story s;
    struct disk d;
    uint64_t orphans = 0;
    story_make(&s, 2, 150);
    write_story(&d, &s);
    for (uint32_t k = 0; k + 1 < s.n; k++) {
        struct repair r;
        hq_error err;
        uint32_t n;
        size_t from;
        char *record = record_at(&d, &s, k, &from);
        record[5] ^= 1;
        if (hqi_journal_repair(&r, PATH, SAVED, &hqi_base_alloc_libc, &d.io, &err) < 0)
            fail_msg("record %u: %s", k, err.text);
        record[5] ^= 1;
        assert_int_equal(r.damages, 1);
        assert_int_equal(r.damage[0].from, from);
        assert_int_equal(r.damage[0].to, from + FRAME_HEADER + s.records[k].bytes.n);
        assert_int_equal(r.damaged, r.damage[0].to - r.damage[0].from);
        assert_int_equal(r.records, s.n - 1);
        uint64_t lost = s.records[k].position - (k ? s.records[k - 1].position : 0);
        assert_int_equal(r.facts + r.orphans + lost, s.records[s.n - 1].position);
        assert_int_equal(r.orphan[0] != '\0', r.orphans > 0);
        orphans += r.orphans;
        struct state *st = story_restore(&d.io, SAVED, &n);
        assert_int_equal(hqi_state_verify(st, &err), HQ_OK);
        assert_int_equal(st->position, r.position);
        hqi_state_state_free(st);
        d.io.unlink(&d, SAVED);
    }
    assert_true(orphans > s.n); /* else nothing hung on anything */
    disk_fini(&d);
    story_fini(&s);
}

static void nothing_is_left_of_a_repair_that_fails(void **unused)
{
    struct story s;
    struct disk d;
    struct repair r;
    hq_error err;
    story_make(&s, 2, 100);
    write_story(&d, &s);
    size_t from;
    record_at(&d, &s, 10, &from)[5] ^= 1;
    for (uint64_t at = 1;; at++) {
        d.kind_calls = 0;
        d.fail_at = at;
        d.hit = false;
        int rc = hqi_journal_repair(&r, PATH, SAVED, &hqi_base_alloc_libc, &d.io, &err);
        bool hit = d.hit;
        d.fail_at = 0;
        if (rc < 0 && disk_get(&d, SAVED).p)
            fail_msg("call %u: %s", (unsigned)at, err.text);
        if (rc >= 0)
            assert_int_equal(d.io.unlink(&d, SAVED), 0);
        if (!hit)
            break;
    }
    for (size_t at = 1;; at++) {
        struct failing mem;
        failing_init(&mem, at);
        int rc = hqi_journal_repair(&r, PATH, SAVED, &mem.alloc, &d.io, &err);
        assert_int_equal(mem.live, 0);
        if (rc < 0) {
            assert_int_equal(rc, HQ_ENOMEM);
            assert_null(disk_get(&d, SAVED).p);
        } else {
            assert_int_equal(d.io.unlink(&d, SAVED), 0);
        }
        if (!mem.hit)
            break;
    }
    disk_fini(&d);
    story_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one_is_copied),
        cmocka_unit_test(one_record_lost),
        cmocka_unit_test(nothing_is_left_of_a_repair_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
