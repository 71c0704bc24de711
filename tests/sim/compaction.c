/* SPDX-License-Identifier: MIT */
/* compaction.c - see compaction.h. A real file, but never synced: nothing here crashes. */
#include "compaction.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "journal/compact.h"
#include "journal/reader.h"
#include "state/state.h"
#include "wire/record.h"

#define PATHS 64u

struct bench {
    struct compaction *c;
    struct journal_io io;
    char path[PATHS], draft[PATHS], lock_path[PATHS];
    struct lock lock;
    struct writer w;
};

static bool fail(struct compaction *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct compaction *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->why, sizeof c->why, format, ap);
    va_end(ap);
    return false;
}

static int no_sync(void *user, int fd)
{
    return 0;
}

static int no_sync_dir(void *user, const char *path)
{
    return 0;
}

static bool write_records(struct bench *b)
{
    hq_error err;
    struct draft d;
    int r = hqi_journal_draft_begin(&d, &hqi_base_alloc_libc, &b->io, b->path, "abcdef", false, &err);
    for (uint32_t i = 0; i < b->c->n && r >= 0; i++) {
        uint64_t position;
        struct bytes record = b->c->record(b->c->user, i, &position);
        r = hqi_journal_draft_put(&d, position, record, &err);
        b->w.written = b->w.synced = position;
    }
    if (r >= 0)
        r = hqi_journal_draft_flush(&d, &err);
    b->w.fd = d.fd;
    b->w.salt = d.salt;
    b->w.end = b->w.whole = b->w.durable = d.size;
    hqi_journal_draft_fini(&d);
    return r >= 0 || fail(b->c, "a journal cannot be written: %s", err.text);
}

static bool compact(struct bench *b, enum compact_mode mode)
{
    struct compactor *k;
    hq_error err;
    int r = hqi_journal_compactor_new(&k, &b->w, mode, &err);
    if (r < 0)
        return fail(b->c, "a journal cannot be compacted: %s", err.text);
    while ((r = hqi_journal_compactor_step(k, &err)) > 0)
        ;
    hqi_journal_compactor_free(k);
    return r >= 0 || fail(b->c, "a journal cannot be compacted: %s", err.text);
}

static int feed(struct state *st, const struct journal_record *record, hq_error *err)
{
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    int r = hqi_wire_record_decode(&facts, &n, record->bytes, &hqi_base_alloc_libc, &mem, err);
    if (r >= 0)
        r = hqi_state_replay(st, record->position, facts, n, err);
    hqi_wire_record_drop(facts, n);
    hqi_base_arena_fini(&mem);
    return r;
}

static bool restore(struct bench *b, struct state *st)
{
    struct reader in;
    struct journal_record record;
    hq_error err;
    int r = hqi_journal_reader_init(&in, &hqi_base_alloc_libc, &b->io, b->w.fd, &err);
    while (r >= 0 && (r = hqi_journal_reader_next(&in, &record, &err)) > 0)
        r = feed(st, &record, &err);
    if (r >= 0)
        r = hqi_state_verify(st, &err);
    hqi_journal_reader_fini(&in);
    return r >= 0 || fail(b->c, "a compacted journal cannot be restored: %s", err.text);
}

static bool restores(struct bench *b, bool pruned)
{
    struct state *st;
    if (hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL) < 0)
        return fail(b->c, "no memory");
    bool ok = restore(b, st);
    if (ok && !pruned && hqi_state_digest(st) != b->c->digest)
        ok = fail(b->c, "a compacted journal restores another state");
    for (uint32_t id = 1; ok && pruned && id <= st->n_jobs; id++)
        if (st->jobs[id] && hqi_state_job_ended(st->jobs[id]))
            ok = fail(b->c, "job %u has ended, but was not pruned", id);
    hqi_state_state_free(st);
    return ok;
}

bool compaction_holds(struct compaction *c)
{
    struct bench b = {.c = c, .io = hqi_journal_io_system};
    snprintf(b.path, sizeof b.path, "/tmp/sim.%d.journal", (int)getpid());
    snprintf(b.draft, sizeof b.draft, "/tmp/sim.%d.journal.tmp", (int)getpid());
    snprintf(b.lock_path, sizeof b.lock_path, "/tmp/sim.%d.journal.lock", (int)getpid());
    b.io.sync = no_sync;
    b.io.sync_dir = no_sync_dir;
    b.w = (struct writer){.alloc = &hqi_base_alloc_libc, .io = &b.io, .lock = &b.lock, .path = b.path, .draft = b.draft,
                          .uid = "abcdef", .fd = -1};
    list_init(&b.w.blocks);
    if (hqi_journal_lock_take(&b.lock, b.lock_path, NULL) < 0)
        return fail(c, "%s cannot be locked", b.lock_path);
    bool ok = write_records(&b) && compact(&b, COMPACT) && restores(&b, false) && compact(&b, COMPACT_AND_PRUNE) &&
              restores(&b, true);
    hqi_journal_writer_fini(&b.w);
    hqi_journal_lock_give(&b.lock);
    unlink(b.path);
    return ok;
}
