/* SPDX-License-Identifier: MIT */
/* reader.c - see reader.h. */
#include "journal/reader.h"

#include <errno.h>

#include "base/error.h"

static const char where[] = "journal";

#define WINDOW_BYTES (256u << 10) /* read at once: past it, larger reads are no faster on a parallel file system */
#define MAX_STRIDE (1ull << 48) /* a head whose position is further on is none: no server lives to append so many facts */

/* ---- bytes ---- */

static int read_failed(uint64_t offset, hq_error *err)
{
    return hqi_journal_io_error(err, errno, "cannot be read at byte %llu", (unsigned long long)offset);
}

static int fill(struct reader *r, uint64_t offset, size_t n, hq_error *err)
{
    size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
    if (want > r->size - offset)
        want = (size_t)(r->size - offset);
    if (want > r->room) {
        char *p = hqi_base_alloc_resize(r->alloc, r->p, want, 1);
        if (!p)
            return hqi_base_error_nomem(err, where);
        r->p = p;
        r->room = want;
    }
    r->at = offset;
    r->n = 0;
    while (r->n < want) {
        ssize_t got = r->io->pread(r->io->user, r->fd, r->p + r->n, want - r->n, offset + r->n);
        if (got < 0)
            return read_failed(offset + r->n, err);
        if (got == 0)
            return hqi_base_error_set(err, HQ_EJOURNAL, where, "it became shorter while it was read");
        r->n += (size_t)got;
    }
    return HQ_OK;
}

/* n bytes at offset, which the file has; borrowed until the next call. */
static int get(struct reader *r, uint64_t offset, size_t n, const char **ret, hq_error *err)
{
    if (offset < r->at || offset + n > r->at + r->n) {
        int rc = fill(r, offset, n, err);
        if (rc < 0)
            return rc;
    }
    *ret = r->p + (offset - r->at);
    return HQ_OK;
}

/* ---- life ---- */

int hqi_journal_reader_init(struct reader *r, const struct alloc *a, const struct journal_io *io, int fd, hq_error *err)
{
    const char *p = NULL;
    *r = (struct reader){.alloc = a, .io = io, .fd = fd};
    if (io->size(io->user, fd, &r->size) < 0)
        return read_failed(0, err);
    size_t n = r->size < FILE_HEADER ? (size_t)r->size : FILE_HEADER;
    int rc = n ? get(r, 0, n, &p, err) : HQ_OK;
    if (rc >= 0)
        rc = hqi_journal_frame_get_header(&r->header, (struct bytes){p, n}, err);
    r->headless = rc == HQ_EAGAIN;
    r->offset = r->headless ? 0 : FILE_HEADER;
    return r->headless ? HQ_OK : rc;
}

void hqi_journal_reader_fini(struct reader *r)
{
    if (r->alloc)
        hqi_base_alloc_free(r->alloc, r->p);
    r->p = NULL;
}

bool hqi_journal_reader_behead(struct reader *r)
{
    const char *p;
    if (r->size < FILE_HEADER + FRAME_HEADER || get(r, 0, FILE_HEADER + FRAME_HEADER, &p, NULL) < 0)
        return false;
    r->offset = FILE_HEADER;
    return hqi_journal_frame_find_salt(&r->header.salt, (struct bytes){p, FILE_HEADER + FRAME_HEADER});
}

/* ---- records ---- */

enum look { LOOK_NONE, LOOK_HEAD, LOOK_RECORD }; /* nothing; only the head of a frame; all of it */

/* What is at `offset`? A record that is there is in *ret. */
static int look(struct reader *r, uint64_t offset, enum look *found, struct frame *f, struct journal_record *ret, hq_error *err)
{
    const char *p;
    uint64_t left = r->size - offset;
    *found = LOOK_NONE;
    if (left < FRAME_HEADER)
        return HQ_OK;
    int rc = get(r, offset, FRAME_HEADER, &p, err);
    if (rc < 0 || !hqi_journal_frame_get(f, r->header.salt, p) || f->length > left - FRAME_HEADER)
        return rc;
    *found = LOOK_HEAD;
    rc = get(r, offset, FRAME_HEADER + (size_t)f->length, &p, err);
    if (rc < 0)
        return rc;
    *ret = (struct journal_record){f->position, {p + FRAME_HEADER, f->length}, offset};
    if (hqi_journal_frame_holds(f, r->header.salt, ret->bytes))
        *found = LOOK_RECORD;
    return HQ_OK;
}

/* Spares the search nearly all checksums. */
static bool may_be_head(const struct reader *r, const char *p, uint64_t left)
{
    struct frame f;
    hqi_journal_frame_read(&f, p);
    return f.length <= left && f.position >= r->last && f.position - r->last < MAX_STRIDE;
}

/* The first good record at or behind `from`. r->size: there is none. */
static int find_good(struct reader *r, uint64_t from, uint64_t *ret, hq_error *err)
{
    int rc = HQ_OK;
    for (uint64_t at = from; rc >= 0 && at + FRAME_HEADER <= r->size; at++) {
        const char *p;
        enum look found;
        struct frame f;
        struct journal_record record;
        rc = get(r, at, FRAME_HEADER, &p, err);
        if (rc < 0 || !may_be_head(r, p, r->size - at - FRAME_HEADER))
            continue;
        rc = look(r, at, &found, &f, &record, err);
        if (rc >= 0 && found == LOOK_RECORD) {
            *ret = at;
            return HQ_OK;
        }
    }
    *ret = r->size;
    return rc;
}

/* Nothing good at r->offset: is it the torn end, or damage in the middle? */
static int judge(struct reader *r, uint64_t from, hq_error *err)
{
    uint64_t good;
    int rc = find_good(r, from, &good, err);
    if (rc < 0)
        return rc;
    if (good == r->size) {
        r->torn = r->size - r->offset;
        return 0;
    }
    r->bad_from = r->offset;
    r->bad_to = good;
    return hqi_base_error_set(err, HQ_EJOURNAL, where,
                              "damaged from byte %llu to %llu, and good records follow; `hq journal repair` tells what would be lost",
                              (unsigned long long)r->bad_from, (unsigned long long)r->bad_to);
}

int hqi_journal_reader_next(struct reader *r, struct journal_record *ret, hq_error *err)
{
    enum look found;
    struct frame f;
    r->bad_to = 0;
    if (r->headless) {
        r->torn = r->size;
        return 0;
    }
    if (r->offset >= r->size || r->torn)
        return 0;
    int rc = look(r, r->offset, &found, &f, ret, err);
    if (rc < 0)
        return rc;
    if (found != LOOK_RECORD) /* where the head is good, it says where the next one is */
        return judge(r, r->offset + (found == LOOK_HEAD ? FRAME_HEADER + (uint64_t)f.length : 1), err);
    if (ret->position < r->last)
        return hqi_base_error_set(err, HQ_EJOURNAL, where, "at byte %llu position %llu follows %llu",
                                  (unsigned long long)r->offset, (unsigned long long)ret->position,
                                  (unsigned long long)r->last);
    r->offset += FRAME_HEADER + ret->bytes.n;
    r->last = ret->position;
    return 1;
}

void hqi_journal_reader_skip(struct reader *r)
{
    if (r->bad_to)
        r->offset = r->bad_to;
}
