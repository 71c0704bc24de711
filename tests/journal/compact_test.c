/* SPDX-License-Identifier: MIT */
/* compact_test.c - a journal is compacted while it grows: whatever happens at whatever moment, what it restores is what the
 * records so far say, less what was pruned. */
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

#include "../unit/failing_alloc.h"
#include "../unit/journal/disk.h"
#include "base/clock.h"
#include "journal/compact.h"
#include "story.h"

#define PATH "j"
#define DRAFT "j.tmp"
#define SEEDS 150u

static char lock_path[64];

/* ---- a writer in the middle of a story ---- */

struct bench {
    struct disk disk;
    struct failing mem;
    struct lock lock;
    struct writer w;
    const struct story *story;
    uint32_t appended;
    uint64_t *pruned; /* digests behind each record, from a file that was pruned; NULL: none was */
    uint32_t pruned_at;
    uint32_t images;
};

/* `from` records are in the file before the writer opens it. */
static void set_up(struct bench *b, const struct story *s, uint32_t from)
{
    memset(b, 0, sizeof *b);
    disk_init(&b->disk);
    failing_init(&b->mem, 0);
    b->story = s;
    b->appended = from;
    story_write(s, 0, from, &b->disk.io, PATH);
    assert_int_equal(hqi_journal_lock_take(&b->lock, lock_path, NULL), HQ_OK);
    b->w = (struct writer){.alloc = &b->mem.alloc, .io = &b->disk.io, .lock = &b->lock, .path = PATH, .draft = DRAFT,
                           .uid = "abcdef", .fd = -1};
    list_init(&b->w.blocks);
    b->w.fd = b->disk.io.open(&b->disk, PATH, 0);
    struct file_header h;
    assert_int_equal(hqi_journal_frame_get_header(&h, disk_get(&b->disk, PATH), NULL), HQ_OK);
    b->w.salt = h.salt;
    uint64_t position = from ? s->records[from - 1].position : 0;
    assert_int_equal(hqi_journal_writer_open(&b->w, disk_get(&b->disk, PATH).n, position, false, NULL), HQ_OK);
}

static void tear_down(struct bench *b)
{
    hqi_journal_writer_fini(&b->w);
    hqi_journal_lock_give(&b->lock);
    disk_fini(&b->disk);
    free(b->pruned);
    assert_int_equal(b->mem.live, 0);
}

static void append(struct bench *b, uint32_t n, bool sync)
{
    struct list blocks;
    list_init(&blocks);
    for (; n > 0 && b->appended < b->story->n; n--) {
        const struct story_record *r = &b->story->records[b->appended++];
        size_t size = FRAME_HEADER + r->bytes.n;
        struct block *block = malloc(sizeof *block + size);
        *block = (struct block){.n = size, .room = size, .position = r->position};
        hqi_journal_frame_sketch(block->bytes, r->position, (uint32_t)r->bytes.n);
        memcpy(block->bytes + FRAME_HEADER, r->bytes.p, r->bytes.n);
        list_push_back(&blocks, &block->link);
        b->mem.live++;
    }
    hqi_journal_writer_take(&b->w, &blocks);
    hqi_journal_writer_round(&b->w, HQI_SEC, sync, true);
}

/* ---- what must be restored ---- */

/* What pruning behind record `at` must leave: the same facts, then the ended jobs gone and the workers that only they knew. */
static void expect_pruned(struct bench *b, uint32_t at)
{
    b->pruned = calloc(b->story->n, sizeof *b->pruned);
    b->pruned_at = at;
    uint32_t n;
    struct state *left = story_restore(&b->disk.io, PATH, &n);
    for (uint32_t i = at; i <= b->story->n; i++) {
        b->pruned[i - 1] = hqi_state_digest(left);
        if (i < b->story->n)
            story_feed(left, b->story->records[i].position, b->story->records[i].bytes);
    }
    hqi_state_state_free(left);
}

static uint32_t record_at(const struct story *s, uint64_t position)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->records[i].position == position)
            return i;
    fail_msg("no record ends at %u", (unsigned)position);
    return 0;
}

static void expect_state(struct bench *b, struct disk *d, uint64_t least)
{
    uint32_t n;
    hq_error err;
    struct state *st = story_restore(&d->io, PATH, &n);
    if (hqi_state_verify(st, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(st->position >= least);
    uint32_t at = record_at(b->story, st->position);
    assert_true(at < b->appended);
    uint64_t digest = hqi_state_digest(st);
    if (digest != b->story->records[at].digest && !(b->pruned && at + 1 >= b->pruned_at && digest == b->pruned[at]))
        fail_msg("record %u: another state", at);
    hqi_state_state_free(st);
}

static void judge(struct disk *d, void *user)
{
    struct bench *b = user;
    for (uint64_t i = 0; i < 4; i++) {
        struct disk left;
        disk_crashed(&left, d, i > 0, d->calls * 17 + i);
        expect_state(b, &left, i > 0 ? b->w.synced : b->w.written);
        disk_fini(&left);
        b->images++;
    }
}

/* ---- compacting ---- */

/* To its end; a record is appended between two steps. */
static int compact(struct bench *b, enum compact_mode mode, hq_error *err)
{
    struct compactor *c;
    int r = hqi_journal_compactor_new(&c, &b->w, mode, err);
    if (r < 0)
        return r;
    do {
        append(b, 1, b->appended % 2);
        r = b->w.error.code ? b->w.error.code : hqi_journal_compactor_step(c, err);
    } while (r > 0);
    hqi_journal_compactor_free(c);
    return r;
}

static void must_compact(struct bench *b, enum compact_mode mode)
{
    hq_error err;
    if (compact(b, mode, &err) < 0)
        fail_msg("%s", err.text);
    assert_null(disk_get(&b->disk, DRAFT).p);
}

static void every_kind_of_fact_occurs(void **unused)
{
    uint32_t kinds = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct story s;
        story_make(&s, seed, 400);
        kinds |= s.kinds;
        story_fini(&s);
    }
    for (uint32_t kind = FACT_SERVER_START; kind <= FACT_REFUSED; kind++)
        if (kind != FACT_CLASS && kind != FACT_REMAINS && !(kinds >> kind & 1))
            fail_msg("no fact of kind %u", kind);
}

/* The same digest at every later record, after one compaction and after a second one; and it is worth it. */
static void nothing_but_the_dead_is_lost(void **unused)
{
    uint64_t before = 0, after = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct story s;
        struct bench b;
        story_make(&s, seed, 300);
        set_up(&b, &s, s.n / 2);
        before += b.w.whole;
        must_compact(&b, COMPACT);
        after += b.w.whole;
        append(&b, s.n / 4, true);
        expect_state(&b, &b.disk, b.w.synced);
        must_compact(&b, COMPACT);
        append(&b, s.n, true);
        assert_int_equal(b.w.synced, s.records[s.n - 1].position);
        expect_state(&b, &b.disk, b.w.synced);
        tear_down(&b);
        story_fini(&s);
    }
    assert_true(after < before);
}

static void pruning_drops_what_has_ended(void **unused)
{
    uint32_t all_gone = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct story s;
        struct bench b;
        uint32_t n;
        story_make(&s, seed, 300);
        set_up(&b, &s, s.n - 20);
        must_compact(&b, COMPACT_AND_PRUNE);
        struct state *st = story_restore(&b.disk.io, PATH, &n), *full;
        assert_int_equal(hqi_state_state_new(&full, &hqi_base_alloc_libc, NULL), HQ_OK);
        for (uint32_t i = 0; i < b.appended; i++)
            story_feed(full, s.records[i].position, s.records[i].bytes);
        assert_int_equal(st->position, full->position);
        assert_int_equal(st->n_jobs, full->n_jobs); /* ids are not given again */
        assert_int_equal(st->n_submits, full->n_submits);
        assert_int_equal(st->n_workers, full->n_workers);
        assert_int_equal(st->n_classes, full->n_classes);
        uint32_t gone = 0;
        for (uint32_t id = 1; id <= full->n_jobs; id++) {
            struct job *a = hqi_state_job(full, (hq_job_id){id}), *j = hqi_state_job(st, (hq_job_id){id});
            if (a && !hqi_state_job_ended(a))
                assert_non_null(j);
            gone += a && !j;
            if (j)
                assert_memory_equal(j->counts, a->counts, sizeof a->counts);
        }
        all_gone += gone;
        for (uint32_t id = 1; id <= full->n_workers; id++)
            if (full->workers[id]->end == HQ_WORKER_RUNNING)
                assert_non_null(st->workers[id]);
        hqi_state_state_free(st);
        hqi_state_state_free(full);
        expect_pruned(&b, b.appended);
        append(&b, 20, true); /* records made by a server that has pruned nothing in memory are accepted */
        expect_state(&b, &b.disk, b.w.synced);
        must_compact(&b, COMPACT);
        expect_state(&b, &b.disk, b.w.synced);
        tear_down(&b);
        story_fini(&s);
    }
    assert_true(all_gone > SEEDS);
}

static void pruning_drops_overviews_of_workers_that_have_ended(void **unused)
{
    static const enum compact_mode modes[] = {COMPACT, COMPACT_AND_PRUNE};
    uint32_t of_ended = 0, of_live = 0;
    for (uint64_t seed = 1; seed <= 20; seed++)
        for (size_t i = 0; i < 2; i++) {
            struct story s;
            struct bench b;
            uint32_t n, ended, live, ended_left, live_left;
            story_make(&s, seed, 300);
            set_up(&b, &s, s.n);
            struct state *st = story_restore(&b.disk.io, PATH, &n);
            story_count_overviews(&b.disk.io, PATH, st, &ended, &live);
            must_compact(&b, modes[i]);
            story_count_overviews(&b.disk.io, PATH, st, &ended_left, &live_left);
            assert_int_equal(live_left, live);
            assert_int_equal(ended_left, modes[i] == COMPACT ? ended : 0);
            of_ended += ended;
            of_live += live;
            hqi_state_state_free(st);
            tear_down(&b);
            story_fini(&s);
        }
    assert_true(of_ended > 0 && of_live > 0);
}

static void it_happens_by_itself_only_if_it_pays(void **unused)
{
    uint32_t paid = 0, not = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct story s;
        struct bench b;
        if (seed % 2)
            story_make(&s, seed, 400);
        else
            story_make_tidy(&s, seed, 400);
        set_up(&b, &s, s.n);
        uint64_t before = b.w.whole;
        must_compact(&b, COMPACT_IF_IT_PAYS);
        assert_true(b.w.whole <= before);
        if (b.w.whole == before)
            not++;
        else {
            paid++;
            assert_true(b.w.whole < before * 7 / 10); /* what is left is mostly workers */
        }
        expect_state(&b, &b.disk, b.w.synced);
        tear_down(&b);
        story_fini(&s);
    }
    assert_true(paid > 0 && not > 0);
}

/* ---- crashes and failures at every step of it ---- */

/* What pruning `from` records leaves, whatever is appended meanwhile: digests for every record behind them. */
static uint64_t *pruned_digests(const struct story *s, uint32_t from)
{
    struct bench b;
    struct compactor *c;
    hq_error err;
    int r;
    set_up(&b, s, from);
    assert_int_equal(hqi_journal_compactor_new(&c, &b.w, COMPACT_AND_PRUNE, &err), HQ_OK);
    while ((r = hqi_journal_compactor_step(c, &err)) > 0)
        ;
    assert_int_equal(r, 0);
    hqi_journal_compactor_free(c);
    expect_pruned(&b, from);
    uint64_t *digests = b.pruned;
    b.pruned = NULL;
    tear_down(&b);
    return digests;
}

static void a_crash_at_any_moment(void **unused)
{
    uint32_t images = 0;
    for (uint64_t seed = 1; seed <= 6; seed++)
        for (unsigned prune = 0; prune < 2; prune++) {
            struct story s;
            struct bench b;
            story_make(&s, seed, 120);
            uint64_t *pruned = prune ? pruned_digests(&s, s.n / 2) : NULL;
            set_up(&b, &s, s.n / 2);
            b.pruned = pruned;
            b.pruned_at = s.n / 2;
            b.disk.on_call = judge;
            b.disk.user = &b;
            must_compact(&b, prune ? COMPACT_AND_PRUNE : COMPACT);
            append(&b, 3, true);
            images += b.images;
            tear_down(&b);
            story_fini(&s);
        }
    assert_true(images > 200);
}

static void every_call_fails(void **unused)
{
    struct story s;
    story_make(&s, 3, 120);
    for (uint64_t at = 1;; at++) {
        struct bench b;
        hq_error err;
        set_up(&b, &s, s.n / 2);
        b.disk.on_call = judge;
        b.disk.user = &b;
        b.disk.fail_at = at;
        b.disk.fail_sys = at % 2 ? EIO : ENOSPC;
        b.disk.kind_calls = 0;
        compact(&b, COMPACT, &err);
        bool hit = b.disk.hit;
        b.disk.fail_at = 0;
        must_compact(&b, COMPACT); /* the next one may well succeed */
        append(&b, s.n, true);
        assert_int_equal(b.w.synced, s.records[s.n - 1].position);
        expect_state(&b, &b.disk, b.w.synced);
        tear_down(&b);
        if (!hit)
            break;
    }
    story_fini(&s);
}

static void every_allocation_fails(void **unused)
{
    struct story s;
    story_make(&s, 4, 60);
    for (unsigned prune = 0; prune < 2; prune++)
        for (size_t at = 1;; at++) {
            struct bench b;
            hq_error err;
            set_up(&b, &s, s.n - 5);
            size_t before = disk_get(&b.disk, PATH).n;
            b.mem.calls = 0;
            b.mem.fail_at = at;
            struct compactor *c = NULL;
            int r = hqi_journal_compactor_new(&c, &b.w, prune ? COMPACT_AND_PRUNE : COMPACT, &err);
            while (r >= 0 && (r = hqi_journal_compactor_step(c, &err)) > 0)
                ;
            hqi_journal_compactor_free(c);
            bool hit = b.mem.hit;
            if (r < 0) {
                assert_int_equal(err.code, HQ_ENOMEM);
                assert_int_equal(disk_get(&b.disk, PATH).n, before);
                assert_null(disk_get(&b.disk, DRAFT).p);
            }
            tear_down(&b);
            if (!hit)
                break;
        }
    story_fini(&s);
}

/* A failed sync of the journal itself makes a new file under the compaction's feet. */
static void a_file_that_is_replaced_meanwhile(void **unused)
{
    struct story s;
    struct bench b;
    struct compactor *c;
    hq_error err;
    story_make(&s, 5, 100);
    set_up(&b, &s, s.n - 10);
    assert_int_equal(hqi_journal_compactor_new(&c, &b.w, COMPACT, &err), HQ_OK);
    assert_int_equal(hqi_journal_compactor_step(c, &err), 1);
    b.disk.fail_at = 1;
    b.disk.fail_kind = DISK_SYNC;
    b.disk.kind_calls = 0;
    append(&b, 2, true);
    assert_true(b.disk.hit);
    b.disk.fail_at = 0;
    assert_int_equal(b.w.error.code, HQ_OK);
    assert_int_equal(hqi_journal_compactor_step(c, &err), HQ_EAGAIN);
    hqi_journal_compactor_free(c);
    must_compact(&b, COMPACT);
    expect_state(&b, &b.disk, b.w.synced);
    tear_down(&b);
    story_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_fact_occurs),
        cmocka_unit_test(nothing_but_the_dead_is_lost),
        cmocka_unit_test(pruning_drops_what_has_ended),
        cmocka_unit_test(pruning_drops_overviews_of_workers_that_have_ended),
        cmocka_unit_test(it_happens_by_itself_only_if_it_pays),
        cmocka_unit_test(a_crash_at_any_moment),
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(a_file_that_is_replaced_meanwhile),
    };
    snprintf(lock_path, sizeof lock_path, "/tmp/compact_test.%d.lock", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
