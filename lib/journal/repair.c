/* SPDX-License-Identifier: MIT */
/* repair.c - see repair.h. Facts go into a replica of the state one by one; those that it refuses are the orphans. */
#include "journal/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "journal/draft.h"
#include "journal/reader.h"
#include "state/state.h"
#include "wire/record.h"

static const char where[] = "journal";

struct salvage {
    struct repair *found;
    const struct alloc *alloc;
    const struct journal_io *io;
    int fd;
    struct reader in;
    struct state *replica;
    struct arena mem;
    struct draft draft; /* fd -1: only looking */
};

/* ---- facts ---- */

static int save_record(struct salvage *r, uint64_t position, struct bytes record, hq_error *err)
{
    return r->draft.fd >= 0 ? hqi_journal_draft_put(&r->draft, position, record, err) : HQ_OK;
}

static void note_orphan(struct salvage *r, const char *why)
{
    if (r->found->orphans++ == 0)
        snprintf(r->found->orphan, sizeof r->found->orphan, "%s", why);
}

static int take_fact(struct salvage *r, uint64_t position, struct fact *f, hq_error *err)
{
    struct buf out;
    hq_error why;
    hqi_base_buf_init(&out, r->alloc);
    hqi_wire_record_encode(f, 1, &out); /* before its spec is taken */
    int rc = out.failed ? hqi_base_error_nomem(err, where) : HQ_OK;
    if (rc >= 0 && hqi_state_replay(r->replica, position, f, 1, &why) < 0) {
        note_orphan(r, why.text);
        rc = why.code == HQ_ENOMEM ? hqi_base_error_nomem(err, where) : HQ_OK;
    } else if (rc >= 0) {
        r->found->facts++;
        rc = save_record(r, position, hqi_base_buf_bytes(&out), err);
    }
    hqi_base_buf_fini(&out);
    return rc;
}

/* Behind damage, one by one: some of them may be orphans. */
static int take_facts(struct salvage *r, const struct journal_record *record, struct fact *facts, uint32_t n, hq_error *err)
{
    int rc = HQ_OK;
    for (uint32_t i = 0; i < n && rc >= 0; i++)
        rc = take_fact(r, record->position - (n - 1 - i), &facts[i], err);
    return rc;
}

/* Without damage before it a record is taken whole, or the file is not a server's. */
static int take_whole(struct salvage *r, const struct journal_record *record, struct fact *facts, uint32_t n, hq_error *err)
{
    int rc = hqi_state_replay(r->replica, record->position, facts, n, err);
    if (rc >= 0)
        rc = save_record(r, record->position, record->bytes, err);
    r->found->facts += n;
    return rc;
}

static int take_record(struct salvage *r, const struct journal_record *record, hq_error *err)
{
    struct fact *facts;
    uint32_t n;
    hqi_base_arena_clear(&r->mem);
    int rc = hqi_wire_record_decode(&facts, &n, record->bytes, r->alloc, &r->mem, err);
    if (rc >= 0)
        rc = r->found->damages || r->found->header ? take_facts(r, record, facts, n, err)
                                                   : take_whole(r, record, facts, n, err);
    hqi_wire_record_drop(facts, n);
    r->found->records += rc >= 0;
    return rc;
}

/* ---- the file ---- */

static void note_damage(struct salvage *r)
{
    struct repair *f = r->found;
    if (f->damages < DAMAGES_SHOWN)
        f->damage[f->damages] = (struct damage){r->in.bad_from, r->in.bad_to};
    f->damages++;
    f->damaged += r->in.bad_to - r->in.bad_from;
    hqi_journal_reader_skip(&r->in);
}

static int read_all(struct salvage *r, hq_error *err)
{
    struct journal_record record;
    int rc = 1;
    while (rc > 0) {
        rc = hqi_journal_reader_next(&r->in, &record, err);
        if (rc > 0) {
            rc = take_record(r, &record, err);
            rc = rc < 0 ? rc : 1;
        } else if (rc < 0 && r->in.bad_to) {
            note_damage(r);
            rc = 1;
        }
    }
    r->found->torn = r->in.torn;
    r->found->torn_from = r->in.offset;
    return rc;
}

/* A header that cannot be trusted has its salt twice; the rest of it is in the facts. */
static int open_damaged(struct salvage *r, hq_error *err)
{
    hq_error first;
    int rc = hqi_journal_reader_init(&r->in, r->alloc, r->io, r->fd, &first);
    if (rc == HQ_EJOURNAL && hqi_journal_reader_behead(&r->in)) {
        r->found->header = true;
        return HQ_OK;
    }
    if (rc < 0 && err)
        *err = first;
    return rc;
}

static void count(struct salvage *r)
{
    const struct state *st = r->replica;
    struct repair *f = r->found;
    f->position = st->position;
    f->jobs = st->live_jobs;
    for (uint32_t i = 1; i <= st->n_jobs; i++)
        f->tasks += st->jobs[i] ? hqi_state_job_total(st->jobs[i]) : 0;
    for (uint32_t i = 1; i <= st->n_workers; i++)
        f->workers += st->workers[i] != NULL;
    if (f->header)
        snprintf(f->uid, sizeof f->uid, "%s", st->uid);
    else
        memcpy(f->uid, r->in.header.uid, sizeof f->uid);
}

static int run(struct salvage *r, const char *path, hq_error *err)
{
    r->fd = r->io->open(r->io->user, path, O_RDONLY);
    if (r->fd < 0)
        return hqi_journal_io_error(err, errno, "it cannot be opened");
    int rc = open_damaged(r, err);
    r->found->bytes = r->in.size;
    if (rc >= 0)
        rc = hqi_state_state_new(&r->replica, r->alloc, err);
    if (rc >= 0)
        rc = read_all(r, err);
    if (rc >= 0)
        count(r);
    return rc;
}

static void close_all(struct salvage *r)
{
    hqi_journal_reader_fini(&r->in);
    hqi_state_state_free(r->replica);
    hqi_base_arena_fini(&r->mem);
    if (r->fd >= 0)
        r->io->close(r->io->user, r->fd);
}

/* The second time over: now the uid is known. */
static int run_and_save(struct salvage *r, const char *path, const char *save, const char *uid, hq_error *err)
{
    int rc = hqi_journal_draft_begin(&r->draft, r->alloc, r->io, save, uid, true, err);
    if (rc >= 0)
        rc = run(r, path, err);
    if (rc >= 0)
        rc = hqi_journal_draft_sync(&r->draft, err);
    if (rc >= 0 && r->io->sync_dir(r->io->user, save) < 0)
        rc = hqi_journal_io_error(err, errno, "cannot sync the directory of %s", save);
    if (rc < 0) {
        hqi_journal_draft_drop(&r->draft);
        return rc;
    }
    r->io->close(r->io->user, r->draft.fd);
    hqi_journal_draft_fini(&r->draft);
    return HQ_OK;
}

int hqi_journal_repair(struct repair *ret, const char *path, const char *save, const struct alloc *a,
                       const struct journal_io *io, hq_error *err)
{
    int rc = HQ_OK;
    char uid[UID_BYTES] = "";
    for (unsigned pass = 0; rc >= 0 && pass < (save ? 2u : 1u); pass++) {
        struct salvage r = {.found = ret, .alloc = a, .io = io, .fd = -1, .draft.fd = -1};
        *ret = (struct repair){.bytes = 0};
        hqi_base_arena_init(&r.mem, a);
        rc = pass == 0 ? run(&r, path, err) : run_and_save(&r, path, save, uid, err);
        close_all(&r);
        memcpy(uid, ret->uid, sizeof uid);
    }
    return rc;
}
