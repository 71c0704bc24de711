/* SPDX-License-Identifier: MIT */
/* compact.c - see compact.h. */
#include "journal/compact.h"

#include <errno.h>
#include <fcntl.h>

#include "base/arena.h"
#include "base/error.h"
#include "journal/filter.h"
#include "journal/reader.h"
#include "state/rclass.h"
#include "wire/record.h"

static const char where[] = "journal";

#define SLICE_BYTES (512u << 10) /* of records, between two looks for a batch: some 5 ms of folding */

/* ---- the compaction ---- */

struct compactor {
    struct writer *w;  /* borrowed */
    enum compact_mode mode;
    int (*stage)(struct compactor *c, hq_error *err); /* one slice of what is under way; 1: more, 0: all done */
    int fd;            /* owned: the old file, for reading */
    struct reader in;
    uint64_t end;      /* of the closed prefix */
    struct state *replica; /* owned */
    struct arena mem;  /* one record, decoded */
    struct arena kept; /* the rest of the old facts, and what the passes share */
    uint64_t *weights; /* owned: bytes of records by job; [0]: of none */
    uint32_t n_weights;
    struct survivors survivors;
    struct name_list names;
    struct fact remains;
    uint64_t position, digest; /* that the new file must restore */
    struct draft draft;
};

static int nomem(hq_error *err)
{
    return hqi_base_error_nomem(err, where);
}

/* ---- one record ---- */

struct batch {
    uint64_t position;
    struct bytes bytes;
    struct fact *facts; /* in c->mem */
    uint32_t n;
};

static int decode(struct compactor *c, const struct journal_record *r, struct batch *b, hq_error *err)
{
    *b = (struct batch){.position = r->position, .bytes = r->bytes};
    hqi_base_arena_clear(&c->mem);
    return hqi_wire_record_decode(&b->facts, &b->n, r->bytes, c->w->alloc, &c->mem, err);
}

static int unreadable(const struct compactor *c, hq_error *err)
{
    return hqi_base_error_set(err, HQ_EJOURNAL, where, "it cannot be read again behind byte %llu",
                              (unsigned long long)c->in.offset);
}

/* Calls `eat` with the next records up to a slice; 1: there are more, 0: that was the last of the prefix. */
static int eat_slice(struct compactor *c, int (*eat)(struct compactor *c, struct batch *b, hq_error *err), hq_error *err)
{
    struct journal_record r;
    int rc = 1;
    for (uint64_t from = c->in.offset; rc > 0 && c->in.offset - from < SLICE_BYTES;) {
        struct batch b;
        rc = hqi_journal_reader_next(&c->in, &r, err);
        if (rc <= 0)
            break;
        rc = decode(c, &r, &b, err);
        if (rc >= 0)
            rc = eat(c, &b, err);
        hqi_wire_record_drop(b.facts, b.n);
        rc = rc < 0 ? rc : 1;
    }
    return rc == 0 && c->in.offset != c->end ? unreadable(c, err) : rc;
}

static int begin_pass(struct compactor *c, int (*stage)(struct compactor *c, hq_error *err), hq_error *err)
{
    hqi_journal_reader_fini(&c->in);
    c->stage = stage;
    int r = hqi_journal_reader_init(&c->in, c->w->alloc, c->w->io, c->fd, err);
    c->in.size = c->end;
    return r < 0 ? r : 1;
}

static int new_replica(struct compactor *c, hq_error *err)
{
    hqi_state_state_free(c->replica);
    c->replica = NULL;
    return hqi_state_state_new(&c->replica, c->w->alloc, err);
}

/* ---- the last pass: what came meanwhile ---- */

static int finish(struct compactor *c, hq_error *err)
{
    int r = hqi_journal_draft_sync(&c->draft, err);
    if (r < 0)
        return r;
    r = hqi_journal_writer_adopt(c->w, &c->draft, err);
    c->draft = (struct draft){.fd = -1}; /* the writer's, or gone */
    return r < 0 ? r : 0;
}

static int copy_tail(struct compactor *c, hq_error *err)
{
    struct journal_record record;
    c->in.size = c->w->whole;
    for (uint64_t from = c->in.offset; c->in.offset - from < SLICE_BYTES;) {
        int r = hqi_journal_reader_next(&c->in, &record, err);
        if (r > 0)
            r = hqi_journal_draft_put(&c->draft, record.position, record.bytes, err);
        if (r < 0)
            return r;
        if (c->in.offset == c->w->whole)
            return finish(c, err);
        if (r == 0 && c->in.torn)
            return unreadable(c, err);
    }
    return 1;
}

/* ---- the second fold: writing ---- */

static int put_encoded(struct compactor *c, const struct fact *facts, uint32_t n, uint64_t position, hq_error *err)
{
    struct buf out;
    hqi_base_buf_init(&out, c->w->alloc);
    hqi_wire_record_encode(facts, n, &out);
    int r = out.failed ? nomem(err) : hqi_journal_draft_put(&c->draft, position, hqi_base_buf_bytes(&out), err);
    hqi_base_buf_fini(&out);
    return r;
}

/* A class that the replica has already needs no fact. */
static bool is_known_class(const struct compactor *c, const struct fact *f)
{
    return f->kind == FACT_CLASS && hqi_state_rclass_find(c->replica, f->u.class.request);
}

/* Facts of a batch that are kept and stand one behind the other, the last one number `position`. */
struct run {
    struct fact *facts; /* in c->mem; specs and configs are its own */
    uint32_t n;
    bool changed;
    uint64_t position;
};

/* A batch of which all is kept goes over as it is, with whatever a later version may have put into it. */
static int put_run(struct compactor *c, const struct batch *b, struct run *run, hq_error *err)
{
    int r = run->n == b->n && !run->changed ? hqi_journal_draft_put(&c->draft, b->position, b->bytes, err)
                                            : put_encoded(c, run->facts, run->n, run->position, err);
    if (r >= 0)
        r = hqi_state_replay(c->replica, run->position, run->facts, run->n, err);
    hqi_wire_record_drop(run->facts, run->n);
    run->n = 0;
    run->changed = false;
    return r;
}

static int write_batch(struct compactor *c, struct batch *b, hq_error *err)
{
    struct run run = {.facts = hqi_base_arena_zero(&c->mem, b->n, sizeof *run.facts)};
    int r = run.facts ? HQ_OK : nomem(err);
    for (uint32_t i = 0; r >= 0 && i < b->n; i++) {
        struct fact *f = &run.facts[run.n];
        enum fate fate = hqi_journal_filter_fact(&c->survivors, &b->facts[i], &c->mem, f);
        if (fate == FATE_NO_MEMORY)
            r = nomem(err);
        else if (fate != FATE_DROPPED && !is_known_class(c, f)) {
            run.n++;
            run.changed = run.changed || fate == FATE_CHANGED;
            run.position = b->position - (b->n - 1 - i);
        } else if (run.n > 0)
            r = put_run(c, b, &run, err);
    }
    if (r >= 0 && run.n > 0)
        return put_run(c, b, &run, err);
    hqi_wire_record_drop(run.facts, run.n);
    return r;
}

static int write_remains(struct compactor *c, hq_error *err)
{
    int r = put_encoded(c, &c->remains, 1, c->position, err);
    if (r >= 0)
        r = hqi_state_replay(c->replica, c->position, &c->remains, 1, err);
    if (r < 0)
        return r;
    if (hqi_state_digest(c->replica) != c->digest)
        return hqi_base_error_set(err, HQ_EINTERNAL, where, "a compacted journal would restore something else; it stays as it is");
    hqi_state_state_free(c->replica);
    c->replica = NULL;
    c->stage = copy_tail;
    return hqi_journal_draft_sync(&c->draft, err); /* most of it, so that the last step is short */
}

static int write_slice(struct compactor *c, hq_error *err)
{
    int r = eat_slice(c, write_batch, err);
    if (r != 0)
        return r;
    r = write_remains(c, err);
    return r < 0 ? r : 1;
}

static int begin_writing(struct compactor *c, hq_error *err)
{
    int r = new_replica(c, err);
    if (r >= 0)
        r = hqi_journal_draft_begin(&c->draft, c->w->alloc, c->w->io, c->w->draft, c->w->uid, false, err);
    return r < 0 ? r : begin_pass(c, write_slice, err);
}

/* ---- what is left of the rest ---- */

static int judge_rest(struct compactor *c, hq_error *err)
{
    struct fact copy;
    if (!hqi_state_remains_make(c->replica, c->survivors.workers, &c->kept, &c->remains))
        return nomem(err);
    c->position = c->replica->position;
    copy = c->remains;
    int r = hqi_state_replay(c->replica, c->position, &copy, 1, err);
    c->digest = hqi_state_digest(c->replica);
    return r < 0 ? r : begin_writing(c, err);
}

static int mark_batch(struct compactor *c, struct batch *b, hq_error *err)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (!hqi_journal_filter_mark(&c->survivors, &c->names, &b->facts[i], &c->mem))
            return nomem(err);
    return HQ_OK;
}

static int mark_slice(struct compactor *c, hq_error *err)
{
    int r = eat_slice(c, mark_batch, err);
    return r == 0 ? judge_rest(c, err) : r;
}

/* ---- the first fold: what is dead ---- */

static uint32_t job_of_submit(const struct compactor *c, uint32_t submit)
{
    const struct submit *s = hqi_state_submit(c->replica, submit);
    return s ? s->job->id.n : 0;
}

/* The first one that the fact speaks of; 0: none. */
static uint32_t job_of(const struct compactor *c, const struct fact *f)
{
    switch (f->kind) {
    case FACT_JOB_OPEN:
        return f->u.job_open.job.n;
    case FACT_SUBMIT:
        return f->u.submit.job.n;
    case FACT_JOB_CANCEL:
    case FACT_JOB_ABORT:
        return f->u.job_cancel.job.n;
    case FACT_JOB_CLOSE:
    case FACT_JOB_FORGET:
        return f->u.job_close.job.n;
    case FACT_STARTED:
        return f->u.started.n_groups ? job_of_submit(c, f->u.started.groups[0].submit) : 0;
    case FACT_ENDED:
        return f->u.ended.n_groups ? job_of_submit(c, f->u.ended.groups[0].submit) : 0;
    case FACT_HANDOUT:
    case FACT_ADOPT:
    case FACT_RETRACT:
    case FACT_RETURN:
    case FACT_CRASHED:
    case FACT_REFUSED:
        return f->u.tasks.n_groups ? job_of_submit(c, f->u.tasks.groups[0].submit) : 0;
    default:
        return 0;
    }
}

static bool weigh(struct compactor *c, uint32_t job, uint64_t bytes)
{
    if (job > HQI_MAX_JOBS)
        return true; /* the replay will refuse it */
    if (job >= c->n_weights) {
        uint32_t n = 2 * (job + 1);
        uint64_t *v = hqi_base_alloc_resize(c->w->alloc, c->weights, n, sizeof *v);
        if (!v)
            return false;
        memset(v + c->n_weights, 0, (n - c->n_weights) * sizeof *v);
        c->weights = v;
        c->n_weights = n;
    }
    c->weights[job] += bytes;
    return true;
}

static int fold_batch(struct compactor *c, struct batch *b, hq_error *err)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (!weigh(c, job_of(c, &b->facts[i]), (b->bytes.n + FRAME_HEADER) / b->n))
            return nomem(err);
    return hqi_state_replay(c->replica, b->position, b->facts, b->n, err);
}

static bool pays(const struct compactor *c)
{
    uint64_t dead = 0;
    for (uint32_t id = 1; id < c->n_weights; id++)
        if (!hqi_state_job(c->replica, (hq_job_id){id}))
            dead += c->weights[id];
    return dead > c->end / 2;
}

static int fold_slice(struct compactor *c, hq_error *err)
{
    bool prune = c->mode == COMPACT_AND_PRUNE;
    int r = eat_slice(c, fold_batch, err);
    if (r != 0)
        return r;
    if (c->replica->position == 0 || (c->mode == COMPACT_IF_IT_PAYS && !pays(c)))
        return 0;
    if (prune)
        hqi_state_remains_forget_ended(c->replica);
    if (!hqi_journal_filter_init(&c->survivors, c->replica, !prune, c->w->alloc))
        return nomem(err);
    c->names.mem = &c->kept;
    return prune ? begin_pass(c, mark_slice, err) : judge_rest(c, err);
}

/* ---- life ---- */

static int open_again(struct compactor *c, hq_error *err)
{
    c->fd = c->w->io->open(c->w->io->user, c->w->path, O_RDONLY);
    if (c->fd < 0)
        return hqi_journal_io_error(err, errno, "it cannot be opened again");
    int r = new_replica(c, err);
    return r < 0 ? r : begin_pass(c, fold_slice, err);
}

int hqi_journal_compactor_new(struct compactor **ret, struct writer *w, enum compact_mode mode, hq_error *err)
{
    struct compactor *c = hqi_base_alloc_zero(w->alloc, 1, sizeof *c);
    if (!c)
        return nomem(err);
    c->w = w;
    c->mode = mode;
    c->fd = c->draft.fd = -1;
    c->end = w->whole;
    hqi_base_arena_init(&c->mem, w->alloc);
    hqi_base_arena_init(&c->kept, w->alloc);
    int r = open_again(c, err);
    if (r < 0) {
        hqi_journal_compactor_free(c);
        return r;
    }
    *ret = c;
    return HQ_OK;
}

int hqi_journal_compactor_step(struct compactor *c, hq_error *err)
{
    if (c->w->salt != c->in.header.salt) /* a failed sync has made the file anew */
        return hqi_base_error_set(err, HQ_EAGAIN, where, "the file was replaced meanwhile");
    return c->stage(c, err);
}

void hqi_journal_compactor_free(struct compactor *c)
{
    if (!c)
        return;
    hqi_journal_draft_drop(&c->draft);
    hqi_journal_reader_fini(&c->in);
    hqi_state_state_free(c->replica);
    hqi_journal_filter_fini(&c->survivors);
    hqi_base_alloc_free(c->w->alloc, c->weights);
    hqi_base_arena_fini(&c->mem);
    hqi_base_arena_fini(&c->kept);
    if (c->fd >= 0)
        c->w->io->close(c->w->io->user, c->fd);
    hqi_base_alloc_free(c->w->alloc, c);
}
